package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"
)

// auth is a server that wants certificates of clients.
func auth(mode string, ca *issuer) string {
	return fmt.Sprintf("client_auth = '%s'\nclient_auth_ca = '''%s'''\n", mode, ca.pem)
}

func TestVersionsSuitesAndProtocolsAreAsConfigured(t *testing.T) {
	ca := newIssuer(t, "ca", time.Hour)
	live := liveOf(t, ca.issue("rsa", time.Hour, "a.test").table("a"))
	only := func(version uint16, suites ...uint16) *tls.Config {
		c := anyone("a.test")
		c.MinVersion, c.MaxVersion, c.CipherSuites, c.NextProtos = version, version, suites, []string{"h2", "http/1.1"}
		return c
	}
	cases := []struct {
		name, keys string
		client     *tls.Config
		want       string // version, suite and protocol; empty: refused
	}{
		{"default", "", only(tls.VersionTLS13), "TLSv1.3 TLS_AES_128_GCM_SHA256 http/1.1"},
		{"h2", "enabled_h2 = true", only(tls.VersionTLS13), "TLSv1.3 TLS_AES_128_GCM_SHA256 h2"},
		{"1.1 is off", "", only(tls.VersionTLS11), ""},
		{"1.1 is on", "tls_min_version = 'tlsv1.1'", only(tls.VersionTLS11), "TLSv1.1 ECDHE-RSA-AES128-SHA http/1.1"},
		{"1.1 and no h2", "tls_min_version = 'tlsv1.1'\nenabled_h2 = true", only(tls.VersionTLS11), "TLSv1.1 ECDHE-RSA-AES128-SHA http/1.1"},
		{"1.1 is allowed, 1.2 and h2", "tls_min_version = 'tlsv1.1'\nenabled_h2 = true", only(tls.VersionTLS12), "TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 h2"},
		{"1.2 is off", "tls_min_version = 'TLSv1.3'", only(tls.VersionTLS12), ""},
		{"1.3 is off", "tls_max_version = 'TLSv1.2'", only(tls.VersionTLS13), ""},
		{"a list", "tls_cipher_list = 'ECDHE+AESGCM:!AES128'", only(tls.VersionTLS12), "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384 http/1.1"},
		{"not in the list", "tls_cipher_list = 'ECDHE+AESGCM:!AES128'", only(tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256), ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := listen(t, configFor(t, server(t, c.keys), live))
			_, err := l.dial(c.client)
			got := ""
			if state := <-l.state; state != nil {
				d := Describe(state, time.Millisecond)
				got = d.Version + " " + d.Cipher + " " + d.Protocol
			}
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestClientCertificates(t *testing.T) {
	ca, other := newIssuer(t, "ca", time.Hour), newIssuer(t, "other", time.Hour)
	live := liveOf(t, ca.issue("ecdsa", time.Hour, "a.test").table("a"))
	good, bad := ca.issue("ecdsa", time.Hour, "client \u00fc,\r\nX: y"), other.issue("ecdsa", time.Hour, "client")
	old := ca.issue("ecdsa", -time.Minute, "client")
	cases := []struct {
		name, mode string
		shows      *made
		ok, known  bool
	}{
		{"off", "off", &good, true, false},
		{"request, none", "request", nil, true, false},
		{"request, one", "request", &good, true, true},
		{"request, another CA's", "request", &bad, false, false},
		{"require, none", "require", nil, false, false},
		{"require, one", "require", &good, true, true},
		{"require, another CA's", "require", &bad, false, false},
		{"require, an expired one", "require", &old, false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := listen(t, configFor(t, server(t, auth(c.mode, ca)), live))
			client := anyone("a.test")
			if c.shows != nil { // whatever CAs the server names
				pair := c.shows.client()
				client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
			}
			_, err := l.dial(client)
			state := <-l.state
			if (err == nil) != c.ok || (state != nil) != c.ok {
				t.Fatalf("%v", err)
			}
			if state == nil {
				return
			}
			d := Describe(state, 0)
			if d.ServerName != "a.test" || (d.Client != nil) != c.known {
				t.Fatalf("%+v", d)
			}
			sum := sha256.Sum256(good.leaf.Raw)
			if c.known && (d.Client.Fingerprint != hex.EncodeToString(sum[:]) || d.Client.Subject != `CN=client \C3\BC\,\0D\0AX: y`) {
				t.Errorf("%+v", d.Client)
			}
		})
	}
}

func TestAServerThatWantsClientCertificatesNeedsCAs(t *testing.T) {
	s := server(t, "")
	s.ClientAuth = "require"
	if _, err := Config(s, Options{Certificates: &Live{}, Tickets: NewTickets()}); err == nil {
		t.Error("accepted without CAs")
	}
}

// resume connects twice, to one server and then to another, with one cache of sessions.
func resume(t *testing.T, client *tls.Config, first, second *listening) bool {
	t.Helper()
	client = client.Clone()
	client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for _, l := range []*listening{first, second} {
		if _, err := l.dial(client); err != nil {
			t.Fatal(err)
		}
	}
	<-first.state
	return (<-second.state).DidResume
}

func TestSessionsAreResumedWhereTheKeysAreShared(t *testing.T) {
	ca := newIssuer(t, "ca", time.Hour)
	live := liveOf(t, ca.issue("ecdsa", time.Hour, "a.test").table("a"))
	start := func(keys ...string) (*listening, *Tickets) {
		tickets := NewTickets()
		for i := range keys {
			keys[i] += strings.Repeat("k", 32)
		}
		var all [][]byte
		for _, key := range keys {
			all = append(all, []byte(key))
		}
		if err := tickets.SetKeys(all); err != nil {
			t.Fatal(err)
		}
		cfg, err := Config(server(t, ""), Options{Certificates: live, Tickets: tickets})
		if err != nil {
			t.Fatal(err)
		}
		return listen(t, cfg), tickets
	}
	a, _ := start("1")
	same, _ := start("1")
	rotated, counted := start("2", "1")
	gone, lost := start("3", "2")
	own, _ := start()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := anyone("a.test")
		client.MaxVersion = version
		for name, c := range map[string]struct {
			l    *listening
			want bool
		}{"the same keys": {same, true}, "keys that were rotated": {rotated, true}, "keys that are gone": {gone, false}, "keys of its own": {own, false}} {
			if got := resume(t, client, a, c.l); got != c.want {
				t.Errorf("%s, %x: resumed %v, want %v", name, version, got, c.want)
			}
		}
	}
	if counted.Resumed() != 2 || counted.Unknown() != 0 || lost.Unknown() != 2 || lost.Resumed() != 0 {
		t.Errorf("counted %d resumed, %d unknown; %d and %d where the key is gone", counted.Resumed(), counted.Unknown(), lost.Resumed(), lost.Unknown())
	}
}

func TestNewKeysHoldForServersThatRun(t *testing.T) {
	ca := newIssuer(t, "ca", time.Hour)
	live := liveOf(t, ca.issue("ecdsa", time.Hour, "a.test").table("a"))
	tickets := NewTickets()
	cfg, err := Config(server(t, ""), Options{Certificates: live, Tickets: tickets})
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, cfg)
	if !resume(t, anyone("a.test"), l, l) {
		t.Error("not resumed with the keys of the start")
	}
	client := anyone("a.test")
	client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for i, want := range []bool{false, false, true} {
		if i == 1 {
			if err := tickets.SetKeys([][]byte{make([]byte, 48)}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := l.dial(client); err != nil {
			t.Fatal(err)
		}
		if state := <-l.state; state.DidResume != want {
			t.Errorf("connection %d: resumed %v", i, state.DidResume)
		}
	}
}

func TestBadTicketKeysAreRefusedAndChangeNothing(t *testing.T) {
	tickets := NewTickets()
	before := tickets.keys.Load()
	if tickets.SetKeys([][]byte{make([]byte, 31)}) == nil || tickets.SetKeys(make([][]byte, 17)) == nil || tickets.SetKeys(nil) != nil {
		t.Error("taken")
	}
	if tickets.keys.Load() != before {
		t.Error("changed")
	}
}

// What a client proved to one server must not open another, with other CAs or demands, although the keys are shared.
func TestSessionsDoNotCarryClientCertificatesToOtherServers(t *testing.T) {
	ca, other := newIssuer(t, "ca", time.Hour), newIssuer(t, "other", time.Hour)
	live := liveOf(t, ca.issue("ecdsa", time.Hour, "a.test").table("a"))
	tickets := NewTickets()
	start := func(keys string) *listening {
		cfg, err := Config(server(t, keys), Options{Certificates: live, Tickets: tickets})
		if err != nil {
			t.Fatal(err)
		}
		return listen(t, cfg)
	}
	client := anyone("a.test")
	good := ca.issue("ecdsa", time.Hour, "client")
	client.Certificates = []tls.Certificate{good.client()}
	open, requests, requires, again, foreign := start(""), start(auth("request", ca)), start(auth("require", ca)),
		start(auth("require", ca)), start(auth("request", other))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client.MaxVersion = version
		if !resume(t, client, requires, again) {
			t.Errorf("%x: not resumed by a server of the same kind", version)
		}
		for name, pair := range map[string][2]*listening{"open to require": {open, requires}, "request to require": {requests, requires},
			"require to open": {requires, open}, "other CA": {requires, foreign}} {
			if resume(t, client, pair[0], pair[1]) {
				t.Errorf("%s, %x: resumed", name, version)
			}
		}
	}
}

func TestDamagedTicketsMeanAFullHandshake(t *testing.T) {
	s := &sealer{tickets: NewTickets()}
	for _, ticket := range [][]byte{nil, make([]byte, 10), make([]byte, 100)} {
		if state, err := s.unwrap(ticket, tls.ConnectionState{}); state != nil || err != nil {
			t.Errorf("%d bytes: %v, %v", len(ticket), state, err)
		}
	}
	ticket, err := s.wrap(tls.ConnectionState{}, &tls.SessionState{})
	if err != nil {
		t.Skip("an empty state cannot be written:", err)
	}
	for i := range ticket {
		damaged := append([]byte(nil), ticket...)
		damaged[i] ^= 1
		if state, err := s.unwrap(damaged, tls.ConnectionState{}); state != nil || err != nil {
			t.Fatalf("byte %d: %v, %v", i, state, err)
		}
	}
}

func TestChallengesAreAnsweredByTheirOwnCertificate(t *testing.T) {
	ca := newIssuer(t, "ca", time.Hour)
	live := liveOf(t, ca.issue("ecdsa", time.Hour, "a.test").table("a"))
	token := ca.issue("ecdsa", time.Hour, "challenge").client()
	cfg, err := Config(server(t, "enabled_h2 = true"), Options{Certificates: live, Tickets: NewTickets(), Challenge: func(name string) *tls.Certificate {
		if name == "a.test" {
			return &token
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, cfg)
	dial := func(name string, protocols ...string) (*x509.Certificate, string) {
		client := anyone(name)
		client.NextProtos = protocols
		state, err := l.dial(client)
		<-l.state
		if err != nil {
			return nil, err.Error()
		}
		return state.PeerCertificates[0], state.NegotiatedProtocol
	}
	if c, protocol := dial("A.test", ACME); c == nil || c.Subject.CommonName != "challenge" || protocol != ACME {
		t.Errorf("challenge: %v, %s", c, protocol)
	}
	if c, protocol := dial("a.test", "h2", ACME); c == nil || c.Subject.CommonName != "a.test" || protocol != "h2" {
		t.Errorf("a client that speaks h2 as well: %v, %s", c, protocol)
	}
	if c, _ := dial("b.test", ACME); c != nil {
		t.Errorf("a name without a challenge got %v", c.Subject)
	}
}
