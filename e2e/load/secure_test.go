package load

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// secured serves what an Upstream serves over TLS, with the engine of net/http.
func secured(t *testing.T, handler http.Handler) string {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestAllSecureKindsSucceedWhereNothingIsWrong(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	mixes := Secure(2, 100*time.Millisecond, 300*time.Millisecond)
	l := Start(secured(t, u.server.Handler), mixes...)
	goodFor(t, l, 40, mixes)
	r := l.Stop()
	t.Log("\n" + r.String())
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	if err := u.Check(r); err != nil {
		t.Error(err)
	}
	for k := SecureBusy; k < kinds; k++ {
		if tally := &r.Kinds[k]; tally.Reopened != 0 || tally.Moved != 0 || tally.Handshakes == 0 {
			t.Errorf("%s: %d reopened, %d moved, %d handshakes", k, tally.Reopened, tally.Moved, tally.Handshakes)
		}
	}
	if fresh := &r.Kinds[SecureFresh]; fresh.Handshakes != fresh.Started || fresh.Resumed != fresh.Handshakes-2 {
		t.Errorf("of %d connections %d were resumed, all but the first ones of 2 clients should be", fresh.Handshakes, fresh.Resumed)
	}
}
