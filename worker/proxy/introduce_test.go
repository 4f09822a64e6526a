package proxy

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"pingap/config"
)

// introduced answers every request with the PROXY header of its connection, and with the connection's number.
func introduced(p *scripted) {
	line, err := p.r.ReadString('\n')
	if err != nil {
		return
	}
	body := fmt.Sprintf("%d %s", p.n, strings.TrimSuffix(line, "\r\n"))
	for {
		if _, ok := p.request(); !ok {
			return
		}
		p.reply(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	}
}

func TestBackendsAreToldTheClientsConnection(t *testing.T) {
	b := newBackend(t, introduced)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, upstream: func(u *config.Upstream) { u.ProxyProtocol = "v1" }})
	first, second := r.dial(), r.dial()
	ask := func(c *rawClient, connection int) {
		t.Helper()
		port := func(a net.Addr) int { return a.(*net.TCPAddr).Port }
		want := fmt.Sprintf("%d PROXY TCP4 127.0.0.1 127.0.0.1 %d %d", connection, port(c.LocalAddr()), port(c.RemoteAddr()))
		head := c.send(get).head()
		if got := c.body(len(want)); got != want {
			t.Errorf("the backend saw %q, want %q (%q)", got, want, head)
		}
	}
	ask(first, 1)
	ask(second, 2)
	ask(first, 1) // its own connection again
	ask(second, 2)
}
