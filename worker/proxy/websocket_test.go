package proxy

import (
	"io"
	"strings"
	"testing"
	"time"

	"pingap/message"
	"pingap/plugins"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
	"pingap/worker/websocket"
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

// Plugins act on upgrades that go through as on any request, and hear of the end of the tunnel.
func TestPluginsActOnTunnelsOverEveryProtocol(t *testing.T) {
	for _, transport := range []string{"h1", "h2c"} {
		t.Run(transport, func(t *testing.T) {
			b := newBackend(t, func(p *scripted) {
				head, _ := p.request()
				if !strings.Contains(head, "X-Added: yes\r\n") {
					t.Errorf("the upstream got %q", head)
				}
				_, key, _ := strings.Cut(head, "Sec-WebSocket-Key: ")
				key, _, _ = strings.Cut(key, "\r\n")
				p.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " +
					string(websocket.AppendAccept(nil, []byte(key))) + "\r\n\r\n")
				_, _ = io.Copy(io.Discard, p.r)
			})
			over, responded := newEnds(), make(chan bool, 9)
			r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: speaks(t, transport), plugins: plugins.NewChain([]*plugins.Instance{{
				Step: plugins.Request, Decider: decides(func(e *plugins.Exchange) plugins.Decision {
					e.AtEnd(over)
					e.Request.Fields.Set("X-Added", []byte("yes"))
					return plugins.Continue
				}),
				Responder:    responds(func(e *plugins.Exchange) { responded <- e.Response.Status == 101 }),
				BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter { t.Error("asked for a filter"); return nil }),
			}})})
			if transport == "h1" {
				c := r.dial().send("GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
					"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
				if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101") {
					t.Errorf("head %q", head)
				}
				c.Close()
			} else {
				f := r.dialFrames()
				if status := f.connect("/chat"); status != "200" {
					t.Errorf("status %s", status)
				}
				f.Close()
			}
			if !<-responded {
				t.Error("the responder did not see 101")
			}
			select {
			case <-over.seen:
			case <-time.After(patience):
				t.Fatal("the end did not come")
			}
			r.closeProxy()
			if n := over.told.Load(); n != 1 {
				t.Errorf("told %d times", n)
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
