package proxy

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"pingap/config"
)

// either makes an upstream one where each backend chooses its protocol.
func either(u *config.Upstream) { u.SNI, u.ALPN, u.MaxH2Streams = "example.com", "H2H1", 10 }

// A backend that chose HTTP/1 once is not asked for HTTP/2 again for a while: its requests go as to any other.
func TestABackendThatChoosesHTTP1IsServedOnAndOn(t *testing.T) {
	up := originOver(t, "h1 tls")
	r := newRig(t, rigOptions{addrs: []string{up.Listener.Addr().String()}, server: speaks(t, "h2c"), upstream: either})
	c, base := r.user("h2c")
	for i := range 5 {
		if resp, b := r.fetch(c, "POST", base+"/echo", strings.NewReader("hello")); resp.StatusCode != 200 || string(b) != "hello" {
			t.Errorf("request %d: %d %q", i, resp.StatusCode, b)
		}
		r.log.wait(t, i) // its connection is back in the pool then, which it need not be when the answer has come
	}
	if line := r.log.wait(t, 4); !line.reused {
		t.Errorf("the last one was not sent on a pooled connection: %+v", line)
	}
}

// As with any pooled connection, one that the backend has closed costs no request.
func TestAStaleConnectionToABackendThatChoseHTTP1IsReplaced(t *testing.T) {
	up := originOver(t, "h1 tls")
	up.Config.IdleTimeout = time.Millisecond
	r := newRig(t, rigOptions{addrs: []string{up.Listener.Addr().String()}, server: speaks(t, "h2c"), upstream: either})
	c, base := r.user("h2c")
	for i := range 20 {
		if resp, _ := r.fetch(c, http.MethodGet, base+"/size/10", nil); resp.StatusCode != 200 {
			t.Errorf("request %d: %d", i, resp.StatusCode)
		}
	}
}
