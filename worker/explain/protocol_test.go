package explain

import (
	"fmt"
	"strings"
	"testing"

	"pingap/config"
	"pingap/worker/http2/server"
	"pingap/worker/upstream"
)

// protocols is a site whose server with TLS, and the one on port 8080, speak HTTP/2, to an upstream that does.
func protocols(t testing.TB) *Site {
	t.Helper()
	s := site(t)
	for _, one := range s.Servers {
		if one == nil {
			continue
		}
		for _, l := range one.Locations {
			up, err := upstream.New(&config.Upstream{Name: "calls", Addrs: []string{"127.0.0.1:1"}, ALPN: "H2"}, upstream.Options{})
			if err != nil {
				t.Fatal(err)
			}
			l.Upstream, l.MaxBody = up, 1000
		}
	}
	for _, n := range []int{2, 3} {
		s.Servers[n].HTTP2, s.Servers[n].H2C = server.NewEngine(server.Options{HeadFields: 20}), true
	}
	return s
}

func TestTheProtocolDecides(t *testing.T) {
	s := protocols(t)
	call := [2]string{"Content-Type", "application/grpc"}
	for _, c := range []struct {
		name string
		q    Question
		want string // protocol, call, tunnel and answer; or what is wrong
		note string
	}{
		{"HTTP/1.1", Question{URL: "https://a.example/"}, "http/1.1  false h2 0 0", ""},
		{"HTTP/2", Question{URL: "https://a.example/", Protocol: "h2"}, "h2  false h2 0 0", ""},
		{"HTTP/2 in the clear", Question{URL: "http://127.0.0.1:8080/", Protocol: "h2"}, "h2  false h2 0 0", ""},
		{"HTTP/2 that is not agreed on", Question{URL: "http://a.example/", Protocol: "h2"}, "http/1.1  false - 505 0", "does not speak HTTP/2"},
		{"a call", Question{URL: "https://a.example/x.Y/z", Protocol: "grpc"}, "h2 gRPC false h2 0 0", ""},
		{"a call that is answered", Question{URL: "https://a.example/no", Protocol: "grpc"}, "h2 gRPC false - 200 7", ""},
		{"a call with a body that is too long", Question{URL: "https://a.example/", Protocol: "grpc", Headers: [][2]string{{"Content-Length", "1001"}}}, "h2 gRPC false - 200 8", ""},
		{"a call whose time cannot be read", Question{URL: "https://a.example/", Protocol: "grpc", Headers: [][2]string{{"grpc-timeout", "never"}}}, "h2 gRPC false - 200 13", ""},
		{"no call, with GET", Question{Method: "GET", URL: "https://a.example/no", Protocol: "grpc"}, "h2  false - 403 0", ""},
		{"no call, in HTTP/1.1", Question{Method: "POST", URL: "https://a.example/no", Headers: [][2]string{call}}, "http/1.1  false - 403 0", ""},
		{"a call of a format", Question{Method: "POST", URL: "https://a.example/no", Protocol: "h2", Headers: [][2]string{{"content-type", "application/grpc+json"}}}, "h2 gRPC false - 200 7", ""},
		{"a WebSocket", Question{URL: "https://a.example/", Protocol: "h2", Headers: [][2]string{{"Connection", "Upgrade"}, {"Upgrade", "websocket"}}}, "h2  true h2 0 0", "a tunnel"},
		{"a field of the connection", Question{URL: "https://a.example/", Protocol: "h2", Headers: [][2]string{{"Connection", "close"}}}, "400 HTTP/2 has no such request: field of the connection", ""},
		{"too many fields", Question{URL: "https://a.example/", Protocol: "h2", Headers: make20()}, "h2  false - 431 0", ""},
		{"another protocol", Question{URL: "https://a.example/", Protocol: "h3"}, "400 the protocol is http/1.1, h2 or grpc", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := s.Explain(&c.q)
			if err != nil {
				if got := statusText(err); !strings.HasPrefix(got, c.want) {
					t.Errorf("%s, want %s", got, c.want)
				}
				return
			}
			if got := told(e); got != c.want {
				t.Errorf("%s, want %s: %+v", got, c.want, e.Answer)
			}
			if notes := strings.Join(e.Notes, "\n"); !strings.Contains(notes, c.note) {
				t.Errorf("%q lacks %q", notes, c.note)
			}
		})
	}
}

func statusText(err error) string { return fmt.Sprintf("%d %v", StatusOf(err), err) }

// told is what is told of protocols, and the statuses of an answer.
func told(e *Explanation) string {
	over, status, call := "-", 0, 0
	if e.Upstream != nil {
		over = e.Upstream.Protocol
	}
	if e.Answer != nil {
		status, call = e.Answer.Status, e.Answer.GRPC
	}
	return fmt.Sprintf("%s %s %v %s %d %d", e.Request.Protocol, e.Request.Call, e.Request.Tunnel, over, status, call)
}

// make20 are more fields than a head may have.
func make20() [][2]string {
	var all [][2]string
	for i := range 21 {
		all = append(all, [2]string{"x-" + string(rune('a'+i)), "1"})
	}
	return all
}
