package proxy

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"

	"pingap/worker/http2/frame"
	"pingap/worker/websocket"
)

// offer is a request that asks for HTTP/2.
func offer(line, fields, body string) string {
	return line + " HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n" + fields + "\r\n" + body
}

func TestOnlyAnExactOfferTurnsAConnectionIntoHTTP2(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: speaks(t, "h2c"), quiet: true})
	whole := offer("GET /", "", "")
	plain := "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	window := base64.RawURLEncoding.EncodeToString([]byte{0, 4, 0x80, 0, 0, 0})
	change := func(from, to string) string { return strings.Replace(whole, from, to, 1) }
	for _, tc := range []struct{ name, raw, status, want string }{
		{"offer", whole, "101", plain},
		{"offer with a body", offer("POST /", "Content-Length: 5\r\n", "hello"), "101", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"},
		{"offer with chunks", offer("POST /", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), "101",
			"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{"TE and keep-alive", offer("GET /", "Keep-Alive: 5\r\nTE: gzip\r\nX: y\r\n", ""), "101", "GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n"},
		{"two settings", offer("GET /", "HTTP2-Settings: AAMAAABk\r\n", ""), "200", plain},
		{"no settings", change("HTTP2-Settings: AAMAAABk\r\n", ""), "200", plain},
		{"settings not of the connection", change("Upgrade, HTTP2-Settings", "Upgrade"), "200", plain},
		{"settings in an alphabet of their own", change("AAMAAABk", "AAMAAAB+"), "200", plain},
		{"settings cut off", change("AAMAAABk", "AAMAAAB"), "200", plain},
		{"half a setting", change("AAMAAABk", "AAMA"), "200", plain},
		{"not of the connection", change("Upgrade, HTTP2-Settings", "HTTP2-Settings"), "200", plain},
		{"two protocols", change("h2c", "websocket, h2c"), "101", plain},
		{"two Upgrade fields", offer("GET /", "Upgrade: websocket\r\n", ""), "200", plain},
		{"HTTP/1.0", change("HTTP/1.1", "HTTP/1.0"), "200", plain},
		{"a window of 2^31", change("AAMAAABk", window), "101", ""},
	} {
		before := len(b.received())
		c := r.dial().send(tc.raw)
		if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 "+tc.status+" ") {
			t.Errorf("%s: %q", tc.name, head)
			continue
		}
		a := &attacker{framed: &framed{rawClient: c}, last: 2}
		a.dec.Init(4096)
		switch {
		case strings.Contains(tc.raw, "HTTP/1.0"):
			c.rest()
		case tc.status != "101":
			c.body(len("0:"))
			c.send(get).expect("200", "0:") // still HTTP/1
			tc.want += get
		case tc.want == "":
			if got := a.outcome(); got != "goaway FLOW_CONTROL_ERROR" {
				t.Errorf("%s: %q", tc.name, got)
			}
		default:
			a.send(frame.Preface)
			a.write(frame.AppendSettings(nil))
			if got := a.outcome(); !strings.HasPrefix(got, "200 ") {
				t.Errorf("%s: %q", tc.name, got)
			}
			if got := a.ask(true, []string{":method=GET", ":scheme=http", ":authority=h", ":path=/b"}); got != "200 0:" {
				t.Errorf("%s: the request behind it gets %q", tc.name, got)
			}
			tc.want += "GET /b HTTP/1.1\r\nhost: h\r\n\r\n"
		}
		if got := b.received()[before:]; got != tc.want {
			t.Errorf("%s: the upstream received\n%q, want\n%q", tc.name, got, tc.want)
		}
		c.Close()
	}
}

// What follows an offer in one piece with it is read as HTTP/2, however much that is, and never as HTTP/1.
func TestBytesBehindAnOffer(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: speaks(t, "h2c"), quiet: true})
	c := r.dial().send(offer("GET /", "", "") + smuggled)
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatal(head)
	}
	a := &attacker{framed: &framed{rawClient: c}, last: 2}
	a.dec.Init(4096)
	if got := a.outcome(); got != "goaway PROTOCOL_ERROR" {
		t.Errorf("%q", got)
	}
	if got := b.received(); strings.Contains(got, "smuggled") {
		t.Errorf("the upstream received %q", got)
	}

	const pings = 1500
	raw := []byte(offer("GET /", "X: "+strings.Repeat("a", 40_000)+"\r\n", "") + frame.Preface)
	raw = frame.AppendSettings(raw)
	for i := range pings {
		raw = frame.AppendPing(raw, false, [8]byte{byte(i >> 8), byte(i)})
	}
	c = r.dial()
	c.send(string(raw)).head()
	a = &attacker{framed: &framed{rawClient: c}}
	for i := range pings {
		if _, payload := a.until(frame.Ping); payload[0] != byte(i>>8) || payload[1] != byte(i) {
			t.Fatalf("answer %d is %x", i, payload)
		}
	}
}

// connect are the fields of an extended CONNECT, with more behind them.
func connect(more ...string) []string {
	return append([]string{":method=CONNECT", ":scheme=http", ":authority=h", ":path=/chat", ":protocol=websocket"}, more...)
}

func TestExtendedConnectIsWebSocketOrNothing(t *testing.T) {
	const wanted = "GET /chat HTTP/1.1\r\nhost: h\r\n%ssec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	const key = "sec-websocket-key=dGhlIHNhbXBsZSBub25jZQ=="
	accept := "Sec-WebSocket-Accept: " + string(websocket.AppendAccept(nil, []byte("dGhlIHNhbXBsZSBub25jZQ=="))) + "\r\n"
	switching := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
	agreed := switching + "Upgrade: websocket\r\n" + accept + "\r\n"
	for _, tc := range []struct {
		name, reply, want string
		fields            []string
		upstream          string // what it receives
	}{
		{"agreed", agreed, "200", connect(key), fmt.Sprintf(wanted, "")},
		{"version", agreed, "200", connect("sec-websocket-version=13", key), fmt.Sprintf(wanted, "sec-websocket-version: 13\r\n")},
		{"in capitals", agreed, "200", append(connect()[:4], ":protocol=WebSocket", key), fmt.Sprintf(wanted, "")},
		{"refused", "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n", "426", connect("sec-websocket-version=7", key), fmt.Sprintf(wanted, "sec-websocket-version: 7\r\n")},
		{"answered 200", ok5, "502", connect(key), fmt.Sprintf(wanted, "")},
		{"answered 204", "HTTP/1.1 204 No Content\r\n\r\n", "502", connect(key), fmt.Sprintf(wanted, "")},
		{"another accept", strings.Replace(agreed, accept, "Sec-WebSocket-Accept: x\r\n", 1), "502", connect(key), fmt.Sprintf(wanted, "")},
		{"no accept", strings.Replace(agreed, accept, "", 1), "502", connect(key), fmt.Sprintf(wanted, "")},
		{"another protocol agreed", switching + "Upgrade: other\r\n" + accept + "\r\n", "502", connect(key), fmt.Sprintf(wanted, "")},
		{"a length", agreed, "200", connect("content-length=0", key), fmt.Sprintf(wanted, "")},
		{"another protocol", "", "501", append(connect()[:4], ":protocol=connect-udp", key), ""},
		{"HTTP/2", "", "501", append(connect()[:4], ":protocol=h2c", key), ""},
		{"two protocols", "", malformed, connect(":protocol=websocket", key), ""},
		{"a list", "", malformed, append(connect()[:4], ":protocol=websocket, h2c", key), ""},
		{"line end", "", malformed, append(connect()[:4], ":protocol=websocket\r\nx: y", key), ""},
		{"nothing", "", malformed, append(connect()[:4], ":protocol=", key), ""},
		{"an Upgrade of its own", "", malformed, connect("upgrade=websocket", key), ""},
		{"no path", "", malformed, []string{":method=CONNECT", ":scheme=http", ":authority=h", ":protocol=websocket"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBackend(t, func(p *scripted) {
				if _, ok := p.request(); ok {
					p.reply(tc.reply)
					_, _ = io.Copy(io.Discard, p.r)
				}
			})
			r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: speaks(t, "h2c")})
			a := r.attack()
			a.tunnel = true
			got := a.ask(false, tc.fields)
			if got != tc.want && !strings.HasPrefix(got, tc.want+" ") {
				t.Errorf("%.200q, want %s", got, tc.want)
			}
			if got := b.received(); got != tc.upstream {
				t.Errorf("the upstream received\n%q, want\n%q", got, tc.upstream)
			}
		})
	}
}
