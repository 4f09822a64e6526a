package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/config"
	"pingap/control/acme/internal/budget"
	"pingap/e2e/pebble"
)

// verify checks an issued certificate as a client would.
func verify(t *testing.T, ca *pebble.CA, item Item, names ...string) *x509.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(item.Chain, item.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.Root(t))
	for _, der := range pair.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		between.AddCert(c)
	}
	for _, name := range names {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	return pair.Leaf
}

// authority starts workers and a CA that validates with them.
func authority(t *testing.T, opt pebble.Options) (*workers, *pebble.CA) {
	t.Helper()
	w := newWorkers(t)
	opt.HTTPPort, opt.TLSPort = w.httpPort, w.tlsPort
	return w, pebble.Start(t, opt)
}

// site is a wish for a certificate of a CA.
func site(ca *pebble.CA, domains ...string) Wanted {
	return Wanted{Name: "site", Domains: domains, Directory: ca.Directory, CA: ca.PEM}
}

func status(t *testing.T, m *Manager, name string) Status {
	t.Helper()
	for _, s := range m.List() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("%s is not in the list", name)
	return Status{}
}

// awaitStatus waits until the status of a certificate is as wanted.
func awaitStatus(t *testing.T, m *Manager, name string, ok func(Status) bool) Status {
	t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if s := status(t, m, name); ok(s) {
			return s
		}
		time.Sleep(10 * time.Millisecond) // between two looks, not for something
	}
	t.Fatalf("status is %+v", status(t, m, name))
	return Status{}
}

func failed(s Status) bool { return s.LastError != "" && !s.Busy && !s.NextAttempt.IsZero() }

// spent counts events of a kind.
func spent(m *Manager, kind budget.Kind) int {
	m.ledger.mu.Lock()
	defer m.ledger.mu.Unlock()
	n := 0
	for _, e := range m.ledger.budget.Events() {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func TestCertificatesAreIssued(t *testing.T) {
	for _, c := range []struct {
		name      string
		challenge string
		domains   []string
		kind      Kind
	}{
		{"one name by http-01", HTTP01, []string{"one.example.com"}, Token},
		{"several names by http-01", HTTP01, []string{"b.example.com", "A.example.com", "a.example.com."}, Token},
		{"one name by tls-alpn-01", TLSALPN01, []string{"one.example.com"}, ALPN},
		{"several names by tls-alpn-01", TLSALPN01, []string{"a.example.com", "b.example.com"}, ALPN},
		{"a name in Unicode", HTTP01, []string{"Bücher.example"}, Token},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, ca := authority(t, pebble.Options{})
			dir := t.TempDir()
			m, stop := manage(t, Options{Dir: dir, Publisher: w})
			wish := site(ca, c.domains...)
			wish.Challenge = c.challenge
			m.Update([]Wanted{wish})
			item := w.await(t, "site")
			verify(t, ca, item, item.Domains...)
			if n := w.count(c.kind); n != len(item.Domains) {
				t.Errorf("%d answers to challenges, want %d", n, len(item.Domains))
			}
			if n := w.count(Token) + w.count(ALPN); n != len(item.Domains) {
				t.Errorf("%d answers of all kinds, want %d", n, len(item.Domains))
			}
			if n := spent(m, budget.Order); n != 1 {
				t.Errorf("%d orders, want 1", n)
			}
			stop()
			if left := w.left(); len(left) > 0 {
				t.Errorf("workers still have %v", left)
			}
			closedToOthers(t, dir)
		})
	}
}

// closedToOthers checks that nobody else can read what is in a folder.
func closedToOthers(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !d.IsDir() {
			files++
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v", path, info.Mode())
		}
		return nil
	})
	if err != nil || files < 3 {
		t.Errorf("%d files, error %v", files, err)
	}
}

func TestARestartUsesWhatIsStored(t *testing.T) {
	w, ca := authority(t, pebble.Options{})
	dir := t.TempDir()
	m, stop := manage(t, Options{Dir: dir, Publisher: w})
	m.Update([]Wanted{site(ca, "a.example.com")})
	first := w.await(t, "site")
	stop()

	again := newWorkers(t)
	m, stop = manage(t, Options{Dir: dir, Publisher: again})
	renamed := site(ca, "A.EXAMPLE.com")
	renamed.Name = "renamed"
	m.Update([]Wanted{renamed})
	if items := m.Items(); len(items) != 1 || items[0].Name != "renamed" || string(items[0].Key) != string(first.Key) {
		t.Errorf("items %v", items)
	}
	item := again.await(t, "renamed")
	if string(item.Chain) != string(first.Chain) {
		t.Error("another certificate")
	}
	if s := status(t, m, "renamed"); s.NotAfter.Before(time.Now().Add(80*day)) || s.LastError != "" || s.Source != "acme" {
		t.Errorf("status %+v", s)
	}
	stop()
	if n := spent(m, budget.Order); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

func TestBadNoncesAndUsedAuthorizationsAreNoHindrance(t *testing.T) {
	w, ca := authority(t, pebble.Options{NonceReject: 60, AuthzReuse: 100})
	m, _ := manage(t, Options{Dir: t.TempDir(), Publisher: w})
	m.Update([]Wanted{site(ca, "a.example.com")})
	w.await(t, "site")
	// The CA knows a.example.com now, and asks for b.example.com only.
	m.Update([]Wanted{site(ca, "a.example.com", "b.example.com")})
	awaitStatus(t, m, "site", func(s Status) bool { return len(s.Domains) == 2 && !s.NotAfter.IsZero() && !s.Busy })
	// And both, so that autocert's order is ready at once.
	m.Update([]Wanted{site(ca, "b.example.com")})
	awaitStatus(t, m, "site", func(s Status) bool { return s.Domains[0] == "b.example.com" && !s.NotAfter.IsZero() && !s.Busy })
	if n := w.count(Token); n != 2 {
		t.Errorf("%d answers, want 2", n)
	}
}

func TestARefusedValidationIsToldAndNotRepeatedAtOnce(t *testing.T) {
	for _, domains := range [][]string{{"a.example.com"}, {"a.example.com", "b.example.com"}} {
		_, ca := authority(t, pebble.Options{})
		silent := newWorkers(t) // get the answers, and are not asked
		m, _ := manage(t, Options{Dir: t.TempDir(), Publisher: silent})
		m.Update([]Wanted{site(ca, domains...)})
		s := awaitStatus(t, m, "site", failed)
		if !strings.Contains(s.LastError, "a.example.com: http-01 refused: unauthorized") {
			t.Errorf("error %q", s.LastError)
		}
		if wait := time.Until(s.NextAttempt); wait < 30*time.Second || wait > 2*time.Minute {
			t.Errorf("next attempt in %v", wait)
		}
		if n := spent(m, budget.Failure); n != len(domains) {
			t.Errorf("%d failures counted, want %d", n, len(domains))
		}
		if n := spent(m, budget.Order); n != 1 {
			t.Errorf("%d orders, want 1", n)
		}
		if left := silent.left(); len(left) > 0 {
			t.Errorf("workers still have %v", left)
		}
	}
}

func TestANameThatTheCARefusesIsTold(t *testing.T) {
	w, ca := authority(t, pebble.Options{Blocked: []string{"blocked.example"}})
	m, _ := manage(t, Options{Dir: t.TempDir(), Publisher: w})
	m.Update([]Wanted{site(ca, "blocked.example")})
	s := awaitStatus(t, m, "site", failed)
	if !strings.Contains(s.LastError, "rejectedIdentifier") {
		t.Errorf("error %q", s.LastError)
	}
}

func TestTheCAIsNotAskedWhileWorkersLackTheAnswer(t *testing.T) {
	for _, domains := range [][]string{{"a.example.com"}, {"a.example.com", "b.example.com"}} {
		w, ca := authority(t, pebble.Options{})
		w.refuse = errors.New("worker 2 does not answer")
		m, _ := manage(t, Options{Dir: t.TempDir(), Publisher: w})
		m.Update([]Wanted{site(ca, domains...)})
		s := awaitStatus(t, m, "site", failed)
		if !strings.Contains(s.LastError, "worker 2 does not answer") {
			t.Errorf("error %q", s.LastError)
		}
		if w.asked != 0 || spent(m, budget.Failure) != 0 {
			t.Errorf("the CA asked %d times, and refused %d", w.asked, spent(m, budget.Failure))
		}
	}
}

func TestExternalAccountsAreBound(t *testing.T) {
	key := config.Secret("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W")
	w, ca := authority(t, pebble.Options{EAB: map[string]string{"kid-1": key.Reveal()}})
	dir := t.TempDir()
	m, stop := manage(t, Options{Dir: dir, Publisher: w})
	bound := site(ca, "a.example.com")
	bound.EABKid, bound.EABKey = "kid-1", key
	free := site(ca, "b.example.com")
	free.Name = "free"
	m.Update([]Wanted{bound, free})
	w.await(t, "site")
	s := awaitStatus(t, m, "free", failed)
	if !strings.Contains(s.LastError, "externalAccountRequired") {
		t.Errorf("error %q", s.LastError)
	}
	stop()
	// With the account known, and several names: the other way.
	m, _ = manage(t, Options{Dir: dir, Publisher: w})
	bound.Domains = []string{"a.example.com", "c.example.com"}
	m.Update([]Wanted{bound})
	awaitStatus(t, m, "site", func(s Status) bool { return !s.NotAfter.IsZero() })
}

func TestAnAccountThatTheCAHasForgottenIsRegisteredAgain(t *testing.T) {
	for _, c := range []struct {
		domains []string
		eab     map[string]string
	}{
		{domains: []string{"a.example.com"}},
		{domains: []string{"a.example.com", "b.example.com"}},
		{domains: []string{"a.example.com"}, eab: map[string]string{"kid": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}},
	} {
		w, ca := authority(t, pebble.Options{EAB: c.eab})
		dir := t.TempDir()
		m, err := New(Options{Dir: dir, Publisher: w})
		if err != nil {
			t.Fatal(err)
		}
		wish := site(ca, c.domains...)
		for kid, key := range c.eab {
			wish.EABKid, wish.EABKey = kid, config.Secret(key)
		}
		if wish, err = wish.normal(); err != nil {
			t.Fatal(err)
		}
		a, err := m.account(wish)
		if err != nil {
			t.Fatal(err)
		}
		a.URI = strings.TrimSuffix(ca.Directory, "/dir") + "/my-account/of-another-life"
		if err := m.store.Write(accountFile(wish.accountID()), a); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		m, _ = manage(t, Options{Dir: dir, Publisher: w})
		m.Update([]Wanted{wish})
		w.await(t, "site")
		awaitStatus(t, m, "site", func(s Status) bool { return !s.Busy })
		if b, err := m.account(wish); err != nil || b.Key != a.Key || b.URI == a.URI {
			t.Errorf("the key changed, or the address did not: %v", err)
		}
	}
}

// forgetful is a CA whose first order runs out while it is worked on.
type forgetful struct {
	mu     sync.Mutex
	orders int
}

// over is a transport to the CA.
func (f *forgetful) over(base http.RoundTripper) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) { return f.answer(base, req) })
}

type roundTrip func(*http.Request) (*http.Response, error)

func (r roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }

func (f *forgetful) answer(base http.RoundTripper, req *http.Request) (*http.Response, error) {
	resp, err := base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var doc map[string]any
	dec := json.NewDecoder(resp.Body)
	if !strings.Contains(resp.Header.Get("Content-Type"), "json") {
		return resp, nil
	}
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	resp.Body.Close()
	created := resp.StatusCode == http.StatusCreated && doc["finalize"] != nil
	if created {
		f.orders++
	}
	if f.orders == 1 && !created {
		switch {
		case doc["challenges"] != nil:
			doc["status"] = "expired"
		case doc["finalize"] != nil:
			doc["status"] = "invalid"
		}
	}
	rec := httptest.NewRecorder()
	if err := json.NewEncoder(rec).Encode(doc); err != nil {
		return nil, err
	}
	resp.Body = rec.Result().Body
	resp.ContentLength = -1
	return resp, nil
}

func TestAnOrderThatExpiresBeginsAnew(t *testing.T) {
	for _, domains := range [][]string{{"a.example.com"}, {"a.example.com", "b.example.com"}} {
		w, ca := authority(t, pebble.Options{})
		m, err := New(Options{Dir: t.TempDir(), Publisher: w})
		if err != nil {
			t.Fatal(err)
		}
		m.before = new(forgetful).over
		run(t, m)
		m.Update([]Wanted{site(ca, domains...)})
		w.await(t, "site")
		if n := spent(m, budget.Order); n != 2 {
			t.Errorf("%d orders, want 2", n)
		}
	}
}

func TestAShortCertificateIsRenewedWithAFreshKey(t *testing.T) {
	w, ca := authority(t, pebble.Options{Validity: 9 * time.Second})
	m, _ := manage(t, Options{Dir: t.TempDir(), Publisher: w})
	m.Update([]Wanted{site(ca, "a.example.com")})
	first := w.await(t, "site")
	second := w.next(t, first)
	third := w.next(t, second)
	leafs := []*x509.Certificate{verify(t, ca, third, "a.example.com")}
	if string(second.Key) == string(first.Key) || string(third.Key) == string(second.Key) {
		t.Error("the key was kept")
	}
	if leafs[0].NotAfter.Before(first.Expires) {
		t.Error("the end did not move")
	}
	// autocert's own timers of the first two have fired by now: they must not have ordered anything.
	if orders, certs := spent(m, budget.Order), w.count(Certificate); orders > certs+1 {
		t.Errorf("%d orders for %d certificates", orders, certs)
	}
	if n := spent(m, budget.Domain); n != 1 {
		t.Errorf("%d certificates counted as new, want 1", n)
	}
}

// zones is a DNS provider that speaks Cloudflare's API, with the DNS server of the CA behind it.
func zones(t *testing.T, ca *pebble.CA) (url string, removed func() []string) {
	t.Helper()
	var mu sync.Mutex
	var gone []string
	names := map[string]string{}
	say := func(w http.ResponseWriter, v any) {
		_ = json.NewEncoder(w).Encode(map[string]any{"success": true, "result": v}) // the client says what is missing
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch r.Method {
		case http.MethodGet:
			if r.URL.Query().Get("name") == "example.com" {
				say(w, []any{map[string]string{"id": "z"}})
				return
			}
			say(w, []any{})
		case http.MethodPost:
			var rec struct{ Name, Content string }
			if err := json.NewDecoder(r.Body).Decode(&rec); err != nil {
				t.Error(err)
			}
			if err := ca.SetTXT(r.Context(), rec.Name, strings.Trim(rec.Content, `"`)); err != nil {
				t.Error(err)
			}
			id := rec.Content[1:9]
			names[id] = rec.Name
			say(w, map[string]string{"id": id})
		case http.MethodDelete:
			id := filepath.Base(r.URL.Path)
			gone = append(gone, names[id])
			if err := ca.ClearTXT(r.Context(), names[id]); err != nil {
				t.Error(err)
			}
			say(w, nil)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "?token=t", func() []string {
		mu.Lock()
		defer mu.Unlock()
		return gone
	}
}

func TestAWildcardAndItsParentComeByDNS(t *testing.T) {
	w, ca := authority(t, pebble.Options{})
	url, removed := zones(t, ca)
	m, stop := manage(t, Options{
		Dir: t.TempDir(), Publisher: w, LookupTXT: ca.LookupTXT,
		Getenv: func(name string) string { return map[string]string{"DNS_URL": url}[name] },
	})
	wish := site(ca, "example.com", "*.example.com", "*.deep.example.com")
	wish.Challenge, wish.DNSProvider, wish.DNSServiceURL = DNS01, "cf", "$ENV:DNS_URL"
	m.Update([]Wanted{wish})
	item := w.await(t, "site")
	verify(t, ca, item, "example.com", "www.example.com", "a.deep.example.com")
	stop()
	if got := removed(); len(got) != 3 {
		t.Errorf("records removed: %q", got)
	}
	if w.count(Token)+w.count(ALPN) != 0 {
		t.Error("something else was published")
	}
}

func TestAManualRecordIsAskedForAndWaitedFor(t *testing.T) {
	w, ca := authority(t, pebble.Options{})
	m, err := New(Options{Dir: t.TempDir(), Publisher: w, LookupTXT: ca.LookupTXT})
	if err != nil {
		t.Fatal(err)
	}
	m.lookEvery = 20 * time.Millisecond
	run(t, m)
	wish := site(ca, "*.example.com")
	wish.Challenge = DNS01
	m.Update([]Wanted{wish})
	s := awaitStatus(t, m, "site", func(s Status) bool { return len(s.Needs) > 0 })
	if s.Needs[0].Name != "_acme-challenge.example.com" || !s.Busy {
		t.Errorf("status %+v", s)
	}
	if err := ca.SetTXT(context.Background(), s.Needs[0].Name, s.Needs[0].Value); err != nil {
		t.Fatal(err)
	}
	item := w.await(t, "site")
	verify(t, ca, item, "www.example.com")
	if s := status(t, m, "site"); len(s.Needs) != 0 {
		t.Errorf("it still needs %v", s.Needs)
	}
}

func TestAWrongCAFileIsTold(t *testing.T) {
	w, ca := authority(t, pebble.Options{})
	m, _ := manage(t, Options{Dir: t.TempDir(), Publisher: w})
	none, other := site(ca, "a.example.com"), site(ca, "b.example.com")
	none.CA = nil
	other.Name, other.CA = "other", []byte("not a certificate")
	m.Update([]Wanted{none, other})
	if s := awaitStatus(t, m, "site", failed); !strings.Contains(s.LastError, "x509") {
		t.Errorf("error %q", s.LastError)
	}
	if s := awaitStatus(t, m, "other", failed); !strings.Contains(s.LastError, "CA file") {
		t.Errorf("error %q", s.LastError)
	}
}

// silent is a CA that takes requests for some paths and never answers.
type silent struct {
	base  http.RoundTripper
	path  string
	asked chan struct{}
}

func (s *silent) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(req.URL.Path, s.path) {
		return s.base.RoundTrip(req)
	}
	select {
	case s.asked <- struct{}{}:
	default:
	}
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// A CA that does not answer holds up neither the end of the process nor the settings that come after it.
func TestTheEndDoesNotWaitForTheCA(t *testing.T) {
	for _, c := range []struct {
		path    string
		domains []string
	}{
		{"/dir", []string{"a.example.com"}},
		{"/authZ/", []string{"a.example.com"}}, // inside autocert
		{"/authZ/", []string{"a.example.com", "b.example.com"}},
		{"/finalize-order/", []string{"a.example.com"}},
	} {
		w, ca := authority(t, pebble.Options{})
		m, err := New(Options{Dir: t.TempDir(), Publisher: w})
		if err != nil {
			t.Fatal(err)
		}
		s := &silent{path: c.path, asked: make(chan struct{}, 1)}
		m.before = func(base http.RoundTripper) http.RoundTripper { s.base = base; return s }
		stop := run(t, m)
		m.Update([]Wanted{site(ca, c.domains...)})
		select {
		case <-s.asked:
		case <-time.After(patience):
			t.Fatalf("%s was not asked for", c.path)
		}
		if s := status(t, m, "site"); !s.Busy || !s.NextAttempt.IsZero() {
			t.Errorf("status %+v", s)
		}
		began := time.Now()
		m.Update(nil)
		stop()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: it took %v", c.path, took)
		}
		if len(m.ledger.records) != 0 {
			t.Errorf("%s: our own end counts as a failure: %v", c.path, m.ledger.records)
		}
		if left := w.left(); len(left) > 0 {
			t.Errorf("%s: workers still have %v", c.path, left)
		}
	}
}
