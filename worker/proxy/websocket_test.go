package proxy

import (
	"strings"
	"testing"

	"pingap/message"
	"pingap/plugins"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

// doorkeeper lets nobody in.
type doorkeeper struct{}

func (doorkeeper) Decide(*plugins.Exchange) plugins.Decision {
	return plugins.Respond(&plugins.Answer{Status: 401}, "nobody")
}

// A plugin that asks for credentials is asked before any upgrade, whether it comes as one or as a stream of HTTP/2.
func TestPluginsDecideBeforeAWebSocketBegins(t *testing.T) {
	for _, transport := range []string{"h1", "h2c"} {
		t.Run(transport, func(t *testing.T) {
			b := newBackend(t, answer(ok5))
			chain := plugins.NewChain([]*plugins.Instance{{Name: "door", Step: plugins.Request, Decider: doorkeeper{}}})
			r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: speaks(t, transport), plugins: chain})
			var status string
			if transport == "h1" {
				head := r.dial().send("GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
					"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").head()
				status, _, _ = strings.Cut(strings.TrimPrefix(head, "HTTP/1.1 "), " ")
			} else {
				status = r.dialFrames().connect("/chat")
			}
			if status != "401" {
				t.Errorf("answered %s", status)
			}
			if n := b.open.Load(); n != 0 {
				t.Errorf("the backend was asked all the same: %d connections", n)
			}
		})
	}
}

// connect begins a WebSocket over HTTP/2 (RFC 8441) and returns the status of the answer.
func (f *framed) connect(path string) string {
	f.t.Helper()
	var block []byte
	for _, p := range [][2]string{{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "http"}, {":authority", "h"}, {":path", path}} {
		block = f.enc.AppendPseudo(block, p[0], []byte(p[1]))
	}
	f.write(frame.AppendHeaders(nil, 1, block, false, 1<<14))
	_, payload := f.until(frame.Headers)
	var dec hpack.Decoder
	dec.Init(4096)
	var list message.Fields
	if _, _, err := dec.Decode(payload, &list, nil, hpack.Limit{Size: 1 << 14, Fields: 100}); err != nil {
		f.t.Fatal(err)
	}
	return string(list.List()[0].Value)
}
