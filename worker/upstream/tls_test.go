package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"pingap/config"
	"pingap/worker/secure"
)

func TestTLSIsSpokenWithTheNameAndTheCAOfTheConfiguration(t *testing.T) {
	ca := newCA(t)
	server := ca.listen(t, tlsOptions{names: []string{"api.test"}, protocols: []string{protocolHTTP1}})
	u := build(t, &config.Upstream{Addrs: []string{server.address()}, SNI: "API.test.", VerifyCert: true, CA: ca.pem}, Options{})
	c := dial(t, u.Backends()[0])
	state := c.Secure.ConnectionState()
	if state.ServerName != "api.test" || c.Handshake <= 0 || c.H2 || net.Conn(c.Secure) != c.Conn || state.NegotiatedProtocol != protocolHTTP1 {
		t.Errorf("%+v, %+v", c, state)
	}
	if got := <-server.names; got != "api.test" {
		t.Errorf("the server saw the name %q", got)
	}
	if _, err := c.SyscallConn(); err == nil {
		t.Error("the socket below TLS is given away")
	}
	c.Discard()
	if u.OpenConnections() != 0 {
		t.Errorf("%d open", u.OpenConnections())
	}
}

func TestFilesComeWithTheConfiguration(t *testing.T) {
	ca := newCA(t)
	server := ca.listen(t, tlsOptions{names: []string{"a.test"}, clients: ca})
	cert, key := ca.issue(t, tlsOptions{names: []string{"proxy.test"}})
	u := build(t, &config.Upstream{Addrs: []string{server.address()}, SNI: "a.test", VerifyCert: true,
		CA: "/none/ca.pem", ClientCert: "/none/c.pem", ClientKey: "/none/c.key",
		Files: config.Files{"ca": {Data: config.Secret(ca.pem)}, "client_cert": {Data: config.Secret(cert)}, "client_key": {Data: config.Secret(key)}}}, Options{})
	dial(t, u.Backends()[0]).Discard()
}

func TestBackendsAreVerified(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	cases := []struct {
		name   string
		server tlsOptions
		sni    string
		ca     string
		fails  bool
	}{
		{"right", tlsOptions{names: []string{"a.test"}}, "a.test", ca.pem, false},
		{"wildcard", tlsOptions{names: []string{"*.test"}}, "a.test", ca.pem, false},
		{"one of two CAs", tlsOptions{names: []string{"a.test"}}, "a.test", other.pem + ca.pem, false},
		{"address", tlsOptions{addresses: []string{"127.0.0.1"}}, "127.0.0.1", ca.pem, false},
		{"another name", tlsOptions{names: []string{"b.test"}}, "a.test", ca.pem, true},
		{"another CA", tlsOptions{names: []string{"a.test"}}, "a.test", other.pem, true},
		{"CAs of the system", tlsOptions{names: []string{"a.test"}}, "a.test", "", true},
		{"expired", tlsOptions{names: []string{"a.test"}, expired: true}, "a.test", ca.pem, true},
	}
	for _, c := range cases {
		server := ca.listen(t, c.server)
		for _, verify := range []bool{true, false} {
			u := build(t, &config.Upstream{Addrs: []string{server.address()}, SNI: c.sni, VerifyCert: verify, CA: c.ca}, Options{})
			conn, err := u.Backends()[0].Dial(context.Background(), nil)
			var failure *ConnectError
			switch {
			case err == nil:
				conn.Discard()
				if c.fails && verify {
					t.Errorf("%s: accepted", c.name)
				}
			case !c.fails || !verify:
				t.Errorf("%s, verify %v: %v", c.name, verify, err)
			case !errors.As(err, &failure) || failure.Kind != BadCertificate || failure.EType() != "InvalidCert" || u.OpenConnections() != 0:
				t.Errorf("%s: %v, %d open", c.name, err, u.OpenConnections())
			}
		}
	}
}

func TestWithHostAsSNIConnectionsArePooledByName(t *testing.T) {
	ca := newCA(t)
	server := ca.listen(t, tlsOptions{names: []string{"*.test"}})
	u := build(t, &config.Upstream{Addrs: []string{server.address()}, SNI: "$host", VerifyCert: true, CA: ca.pem}, Options{})
	b := u.Backends()[0]
	var target Target
	aim := func(host string) *Target {
		rec := request("/")
		rec.Request.Host = []byte(host)
		u.Aim(&target, rec)
		return &target
	}
	c, err := b.Dial(context.Background(), aim("A.test:8443"))
	if err != nil {
		t.Fatal(err)
	}
	if got := <-server.names; got != "a.test" {
		t.Errorf("name %q", got)
	}
	b.Put(c)
	if b.Take(aim("b.test")) != nil || b.Take(&Target{}) != nil {
		t.Error("a connection for another name was given")
	}
	if got := b.Take(aim("a.TEST.")); got != c {
		t.Errorf("%p, want %p", got, c)
	}
	b.Put(c)
	if u.IdleConnections() != 1 {
		t.Error("it is not in the pool")
	}
	for _, host := range []string{"", "bad host", "x/y"} {
		var failure *ConnectError
		if _, err := b.Dial(context.Background(), aim(host)); !errors.As(err, &failure) || failure.Kind != TLSFailed {
			t.Errorf("host %q: %v", host, err)
		}
	}
	discardAll(u.pool.forget(b))
	if len(b.tops) != 0 || u.IdleConnections() != 0 || u.OpenConnections() != 0 {
		t.Errorf("%d tops, %d idle, %d open", len(b.tops), u.IdleConnections(), u.OpenConnections())
	}
	rec := request("/")
	rec.Request.Host = []byte("Shop.Example.com:443")
	if n := testing.AllocsPerRun(100, func() { u.Aim(&target, rec) }); n != 0 {
		t.Errorf("aiming allocates %v times", n)
	}
}

func TestAClientCertificateIsShown(t *testing.T) {
	ca := newCA(t)
	server := ca.listen(t, tlsOptions{names: []string{"a.test"}, clients: ca})
	cert, key := ca.issue(t, tlsOptions{names: []string{"proxy.test"}})
	u := build(t, &config.Upstream{Addrs: []string{server.address()}, SNI: "a.test", VerifyCert: true, CA: ca.pem,
		ClientCert: cert, ClientKey: config.Secret(key)}, Options{})
	dial(t, u.Backends()[0]).Discard()
	if _, err := New(&config.Upstream{SNI: "a.test", ClientCert: cert, ClientKey: "nonsense"}, Options{}); err == nil || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a bad key: %v", err)
	}
}

func TestSessionsAreUsedAgainAndTicketsAreNoAnswers(t *testing.T) {
	ca := newCA(t)
	server := ca.listen(t, tlsOptions{names: []string{"a.test"}})
	u := build(t, &config.Upstream{Addrs: []string{server.address()}, SNI: "a.test", VerifyCert: true, CA: ca.pem}, Options{})
	b := u.Backends()[0]
	first := dial(t, b) // the echo came behind the ticket
	if !first.Alive() {
		t.Fatal("a ticket was taken for an answer")
	}
	b.Put(first)
	if u.Sweep(u.now()); u.IdleConnections() != 1 {
		t.Fatal("swept away")
	}
	second := dial(t, b)
	if first.Resumed || !second.Resumed {
		t.Errorf("resumed: %v, then %v", first.Resumed, second.Resumed)
	}
	if _, err := second.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	readable(t, second)
	if second.Alive() {
		t.Error("an answer that nobody waits for was not noticed")
	}
	server.closeAll()
	readable(t, b.Take(&Target{}))
	if first.Alive() {
		t.Error("the end was not noticed")
	}
}

func TestFailuresOfTheHandshakeAreClassified(t *testing.T) {
	limit := config.Duration(80 * time.Millisecond)
	silent := listen(t, "tcp", "127.0.0.1:0").address() // echoes the hello, which is an odd answer
	stalled, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Close()
	ca := newCA(t)
	old := ca.listen(t, tlsOptions{names: []string{"a.test"}, version: tls.VersionTLS10})
	cases := []struct {
		name  string
		cfg   config.Upstream
		kind  Kind
		etype string
	}{
		{"no TLS", config.Upstream{Addrs: []string{silent}}, TLSFailed, "TLSHandshakeFailure"},
		{"old version", config.Upstream{Addrs: []string{old.address()}}, TLSFailed, "TLSHandshakeFailure"},
		{"stalled, total limit", config.Upstream{Addrs: []string{stalled.Addr().String()}, TotalConnectionTimeout: limit,
			ConnectionTimeout: config.Duration(time.Hour)}, TLSTimeout, "TLSHandshakeTimedout"},
		{"stalled, connect limit", config.Upstream{Addrs: []string{stalled.Addr().String()}, ConnectionTimeout: limit}, TLSTimeout, "TLSHandshakeTimedout"},
	}
	for _, c := range cases {
		c.cfg.SNI = "a.test"
		u := build(t, &c.cfg, Options{})
		_, err := u.Backends()[0].Dial(context.Background(), nil)
		var failure *ConnectError
		if !errors.As(err, &failure) || failure.Kind != c.kind || failure.EType() != c.etype || failure.Timeout() != (c.kind == TLSTimeout) {
			t.Errorf("%s: %v", c.name, err)
		}
		if u.OpenConnections() != 0 {
			t.Errorf("%s: %d open", c.name, u.OpenConnections())
		}
	}
	u := build(t, &config.Upstream{Addrs: []string{stalled.Addr().String()}, SNI: "a.test"}, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(30*time.Millisecond, cancel)
	if _, err := u.Backends()[0].Dial(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestFailuresOfTLSAreLoggedNowAndThen(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	now := int64(time.Hour)
	ca := newCA(t)
	server := ca.listen(t, tlsOptions{names: []string{"b.test"}})
	u := build(t, &config.Upstream{Name: "api", Addrs: []string{server.address()}, SNI: "a.test", VerifyCert: true, CA: ca.pem},
		Options{Logger: zap.New(core), Now: func() int64 { return now }})
	b := u.Backends()[0]
	for i := range 5 {
		if i == 4 {
			now += warnEvery
		}
		if _, err := b.Dial(context.Background(), nil); err == nil {
			t.Fatal("connected")
		}
	}
	lines := logs.TakeAll()
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	fields := lines[1].ContextMap()
	if fields["kind"] != "InvalidCert" || fields["sni"] != "a.test" || fields["upstream"] != "api" || fields["failures"] != int64(4) ||
		!strings.Contains(fields["error"].(string), "b.test") {
		t.Errorf("%v", fields)
	}
}

func TestAWriteToABackendThatTakesNothingEnds(t *testing.T) {
	ca := newCA(t)
	server := ca.listen(t, tlsOptions{names: []string{"a.test"}})
	u := build(t, &config.Upstream{Addrs: []string{server.address()}, SNI: "a.test", WriteTimeout: config.Duration(50 * time.Millisecond)}, Options{})
	c := dial(t, u.Backends()[0])
	defer c.Discard()
	var err error
	for range 100 { // the echo fills both directions, as nobody reads it
		if err = c.Secure.WriteAll(make([]byte, 1<<20)); err != nil {
			break
		}
	}
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Error(err)
	}
}

func TestALPNDecidesWhatIsOffered(t *testing.T) {
	ca := newCA(t)
	both := ca.listen(t, tlsOptions{names: []string{"a.test"}, protocols: []string{protocolHTTP2, protocolHTTP1}})
	only1 := ca.listen(t, tlsOptions{names: []string{"a.test"}, protocols: []string{protocolHTTP1}})
	none := ca.listen(t, tlsOptions{names: []string{"a.test"}})
	plain := listen(t, "tcp", "127.0.0.1:0")
	cases := []struct {
		alpn, sni, address string
		multiplexed        bool
		h2                 bool // of a connection for HTTP/2
		fails              bool
	}{
		{"H1", "a.test", both.address(), false, false, false},
		{"odd", "a.test", both.address(), false, false, false},
		{"h2", "a.test", both.address(), true, true, false},
		{"H2H1", "a.test", both.address(), true, true, false},
		{"H2H1", "a.test", only1.address(), true, false, false},
		{"H2H1", "a.test", none.address(), true, false, false},
		{"H2", "a.test", only1.address(), true, false, true},
		{"H2", "a.test", none.address(), true, false, true},
		{"H2", "", plain.address(), true, true, false},
		{"H2H1", "", plain.address(), false, false, false},
		{"H1", "", plain.address(), false, false, false},
	}
	for _, c := range cases {
		u := build(t, &config.Upstream{Addrs: []string{c.address}, SNI: c.sni, ALPN: c.alpn}, Options{})
		if u.Multiplexed() != c.multiplexed {
			t.Errorf("%+v: multiplexed %v", c, u.Multiplexed())
		}
		conn, err := u.dial(context.Background(), u.Backends()[0], &Target{}, true)
		if (err != nil) != c.fails || err == nil && conn.H2 != c.h2 {
			t.Errorf("%+v: %v %+v", c, err, conn)
		}
		if err == nil {
			conn.Discard()
		}
		if conn, err = u.Backends()[0].Dial(context.Background(), nil); err == nil {
			if conn.H2 {
				t.Errorf("%+v: a connection for HTTP/1 speaks HTTP/2", c)
			}
			conn.Discard()
		}
	}
}

func TestWhatCameUnaskedBehindAnAnswerIsNotPutIntoThePool(t *testing.T) {
	ca := newCA(t)
	server := ca.listen(t, tlsOptions{names: []string{"a.test"}})
	u := build(t, &config.Upstream{Addrs: []string{server.address()}, SNI: "a.test"}, Options{})
	b := u.Backends()[0]
	c := dial(t, b)
	if _, err := c.Write([]byte("answer and more")); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(bound))
	if _, err := io.ReadFull(c, make([]byte, len("answer"))); err != nil {
		t.Fatal(err)
	}
	if b.Put(c); u.IdleConnections() != 0 || u.OpenConnections() != 0 {
		t.Errorf("%d idle, %d open", u.IdleConnections(), u.OpenConnections())
	}
}

// A request over TLS in the way of worker/proxy: written and read inside the callback.
func TestARequestIsServedInsideTheCallback(t *testing.T) {
	ca := newCA(t)
	server := ca.listen(t, tlsOptions{names: []string{"a.test"}})
	u := build(t, &config.Upstream{Addrs: []string{server.address()}, SNI: "a.test", VerifyCert: true, CA: ca.pem}, Options{Buffers: new(secure.Buffers)})
	c := dial(t, u.Backends()[0])
	defer c.Discard()
	_ = c.SetReadDeadline(time.Now().Add(bound))
	for range 10 {
		var got []byte
		sent := false
		var failed error
		err := c.Raw.Read(func(fd uintptr) bool {
			if !sent {
				sent = true
				failed = c.Secure.WriteNow(fd, []byte("head "), []byte("body"))
			}
			p := make([]byte, 100)
			for failed == nil && len(got) < len("head body") {
				n, err := c.Secure.ReadNow(fd, p)
				got = append(got, p[:n]...)
				if err == secure.ErrAgain {
					return false
				}
				failed = err
			}
			return true
		})
		if err != nil || failed != nil || string(got) != "head body" {
			t.Fatal(err, failed, string(got))
		}
	}
}
