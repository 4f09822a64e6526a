package proxy

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// Who may say where a connection comes from, and what becomes of those who do not say it.
func TestWhoIsBelievedAboutTheOtherEnd(t *testing.T) {
	const v1 = "PROXY TCP4 192.0.2.66 10.1.1.1 1234 443\r\n"
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + "\xc0\x00\x02\x42" + "\x0a\x01\x01\x01" + "\x04\xd2\x01\xbb"
	local := "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	for _, c := range []struct {
		name              string
		trusted, required bool
		header            string
		status            string // of the answer; empty where the connection is closed
		remote            string
	}{
		{"version 1", true, true, v1, "200", "192.0.2.66"},
		{"version 2", true, true, v2, "200", "192.0.2.66"},
		{"a check of the balancer itself", true, true, local, "200", "127.0.0.1"},
		{"none where it may be left out", true, false, "", "200", "127.0.0.1"},
		{"none where it is required", true, true, "", "", ""},
		{"a broken one", true, false, "PROXY TCP4 nobody nowhere 1 2\r\n", "", ""},
		{"from somebody who is not trusted", false, false, v1, "400", "127.0.0.1"},
		{"none from somebody who is not trusted", false, false, "", "200", "127.0.0.1"},
		{"required, and past the balancer", false, true, "", "", ""},
		{"required, and from somebody who is not trusted", false, true, v1, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBackend(t, answer(ok5))
			r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: func(s *Server) {
				s.ProxyProtocol = &ProxyProtocol{Required: c.required, Trusts: func(netip.Addr) bool { return c.trusted }}
			}})
			client := r.dial()
			client.send(c.header + get)
			if c.status == "" {
				if n, err := client.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the connection goes on: %v", err)
				}
				return
			}
			if head := client.head(); !strings.HasPrefix(head, "HTTP/1.1 "+c.status) {
				t.Fatalf("answered %q", head)
			}
			if line := r.log.wait(t, 0); line.remote != c.remote {
				t.Errorf("logged as %s, want %s", line.remote, c.remote)
			}
		})
	}
}
