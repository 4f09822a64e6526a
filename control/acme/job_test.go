package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pingap/config"
	"pingap/control/acme/internal/budget"
)

// issue makes a bundle that a CA could have made.
func issue(t *testing.T, w Wanted, life time.Duration) *bundle {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), DNSNames: w.Domains, NotBefore: now, NotAfter: now.Add(life)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBundle(w, [][]byte{der}, key, now)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fakeCA counts attempts, and gives certificates of a life, or an error.
type fakeCA struct {
	t    *testing.T
	life time.Duration
	err  error

	mu sync.Mutex // guards at
	at []time.Time
}

func (f *fakeCA) obtain(_ context.Context, _ *job, w Wanted, _ bool) (*bundle, error) {
	f.mu.Lock()
	f.at = append(f.at, time.Now())
	f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	return issue(f.t, w, f.life), nil
}

func (f *fakeCA) tries() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.at)
}

func (f *fakeCA) waits() []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	var waits []time.Duration
	for i := 1; i < len(f.at); i++ {
		waits = append(waits, f.at[i].Sub(f.at[i-1]))
	}
	return waits
}

func plain() Wanted {
	return Wanted{Name: "site", Domains: []string{"a.example.com"}, Directory: "https://ca.example/dir"}
}

// begin runs a manager in a bubble, with attempts that go to f.
func begin(t *testing.T, dir string, f *fakeCA) (*Manager, *workers, func()) {
	t.Helper()
	w := &workers{items: map[string]Item{}, changed: make(chan struct{})}
	m, err := New(Options{Dir: dir, Publisher: w})
	if err != nil {
		t.Fatal(err)
	}
	m.obtain = f.obtain
	return m, w, run(t, m)
}

func TestFailuresAreRetriedWithGrowingPauses(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCA{t: t, err: errors.New("no\nluck")}
		m, _, stop := begin(t, dir, f)
		m.Update([]Wanted{plain()})
		time.Sleep(12 * time.Hour)
		synctest.Wait()
		least := time.Minute
		for i, wait := range f.waits() {
			if wait < least || wait > least*5/4+time.Second {
				t.Errorf("pause %d is %v, want %v", i, wait, least)
			}
			least *= 2
		}
		if n := f.tries(); n != 10 && n != 9 {
			t.Errorf("%d attempts in half a day", n)
		}
		s := status(t, m, "site")
		if s.LastError != "no luck" || s.NextAttempt.Before(time.Now()) || !s.NotAfter.IsZero() {
			t.Errorf("status %+v", s)
		}
		stop()
		// The pause outlives the process.
		tries := f.tries()
		m, w, stop := begin(t, dir, f)
		m.Update([]Wanted{plain()})
		time.Sleep(time.Minute)
		synctest.Wait()
		if f.tries() != tries {
			t.Error("a restart forgot the pause")
		}
		if again := status(t, m, "site"); !again.NextAttempt.Equal(s.NextAttempt) || again.LastError != s.LastError {
			t.Errorf("status %+v, was %+v", again, s)
		}
		// What was mended is tried at once, and success ends the pauses.
		f.err, f.life = nil, 90*day
		mended := plain()
		mended.Email = "somebody@example.com"
		m.Update([]Wanted{mended})
		time.Sleep(time.Second)
		synctest.Wait()
		if _, ok := w.get(Certificate, "site"); !ok {
			t.Error("not tried with other settings")
		}
		if s := status(t, m, "site"); s.LastError != "" || s.NotAfter.IsZero() {
			t.Errorf("status %+v", s)
		}
		stop()
	})
}

func TestCertificatesAreRenewedForYears(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCA{t: t, life: 90 * day}
		m, w, stop := begin(t, dir, f)
		m.Update([]Wanted{plain()})
		time.Sleep(2*365*day + day)
		synctest.Wait()
		if n := f.tries(); n != 13 {
			t.Errorf("%d certificates in two years, want one in 60 days", n)
		}
		if i, ok := w.get(Certificate, "site"); !ok || i.Expires.Before(time.Now().Add(29*day)) {
			t.Errorf("workers have %v", i.Expires)
		}
		stop()
	})
}

func TestAnOrderWaitsForTheBudgetAndSaysUntilWhen(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCA{t: t, life: 90 * day}
		m, _, stop := begin(t, dir, f)
		w, err := plain().normal()
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if err := m.ledger.count(w.failureEvent(time.Now(), "a.example.com")); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		m.Update([]Wanted{plain()})
		synctest.Wait()
		s := status(t, m, "site")
		if !s.NextAttempt.Equal(began.Add(time.Hour)) || !strings.Contains(s.LastError, "failed validations of a.example.com") {
			t.Errorf("status %+v", s)
		}
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if f.tries() != 0 {
			t.Error("asked within the hour")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if f.tries() != 1 {
			t.Errorf("%d attempts after it", f.tries())
		}
		stop()
	})
}

func TestWhatTheCASaysAboutTheNextAttemptHolds(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCA{t: t, err: &failure{err: errors.New("rateLimited"), retryAfter: time.Now().Add(5 * time.Hour)}}
		m, _, stop := begin(t, dir, f)
		m.Update([]Wanted{plain()})
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		if f.tries() != 1 {
			t.Errorf("%d attempts", f.tries())
		}
		stop()
	})
}

func TestACertificateIsNotOrderedAgainWhileItCannotBeStored(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCA{t: t, life: 90 * day}
		m, w, stop := begin(t, dir, f)
		// A file where the folder should be: no certificate can be written.
		if err := os.WriteFile(filepath.Join(dir, "certificates"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		m.Update([]Wanted{plain()})
		time.Sleep(time.Hour)
		synctest.Wait()
		if _, ok := w.get(Certificate, "site"); !ok {
			t.Error("it is not used")
		}
		if err := os.Remove(filepath.Join(dir, "certificates")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if files, err := m.store.Names("certificates"); err != nil || len(files) != 1 {
			t.Errorf("stored %q, %v", files, err)
		}
		if f.tries() != 1 {
			t.Errorf("%d orders", f.tries())
		}
		stop()
	})
}

func TestACertificateThatComesAtTheEndIsKept(t *testing.T) {
	dir := t.TempDir()
	m, err := New(Options{Dir: dir, Publisher: &workers{items: map[string]Item{}, changed: make(chan struct{})}})
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	m.obtain = func(ctx context.Context, _ *job, w Wanted, _ bool) (*bundle, error) {
		close(asked)
		<-ctx.Done()
		return issue(t, w, 90*day), nil
	}
	stop := run(t, m)
	m.Update([]Wanted{plain()})
	<-asked
	stop()
	if files, err := filepath.Glob(filepath.Join(dir, "certificates", "*.json")); err != nil || len(files) != 1 {
		t.Errorf("stored %q, %v", files, err)
	}
}

func TestPublishingIsRepeatedUntilAllWorkersHaveIt(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCA{t: t, life: 90 * day}
		m, w, stop := begin(t, dir, f)
		w.refuse = errors.New("worker 1 does not answer")
		m.Update([]Wanted{plain()})
		time.Sleep(time.Minute)
		synctest.Wait()
		w.mu.Lock()
		w.refuse = nil
		w.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, ok := w.get(Certificate, "site"); !ok || f.tries() != 1 {
			t.Errorf("published: %v, %d orders", ok, f.tries())
		}
		before := w.count(Certificate)
		m.Republish()
		synctest.Wait()
		if n := w.count(Certificate); n != before+1 {
			t.Errorf("published %d times after it was asked for", n-before)
		}
		stop()
	})
}

func TestNamesComeAndGo(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCA{t: t, life: 90 * day}
		m, w, stop := begin(t, dir, f)
		named := func(name string, domains ...string) Wanted {
			c := plain()
			c.Name, c.Domains = name, domains
			return c
		}
		has := func(want ...string) {
			t.Helper()
			synctest.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			var got []string
			for _, i := range w.items {
				got = append(got, i.Name)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("workers have %q, want %q", got, want)
			}
		}
		m.Update([]Wanted{named("one", "a.example.com"), named("two", "A.example.com")})
		has("one", "two")
		if f.tries() != 1 {
			t.Errorf("%d certificates for the same names", f.tries())
		}
		m.Update([]Wanted{named("two", "a.example.com"), named("three", "c.example.com"), named("bad", "192.0.2.1")})
		has("three", "two")
		if s := status(t, m, "bad"); !strings.Contains(s.LastError, "is an address") {
			t.Errorf("status %+v", s)
		}
		m.Update([]Wanted{named("two", "c.example.com")})
		has("two")
		if i, _ := w.get(Certificate, "two"); !slices.Equal(i.Domains, []string{"c.example.com"}) {
			t.Errorf("two is for %q", i.Domains)
		}
		m.Update(nil)
		has()
		m.Update([]Wanted{named("one", "a.example.com")})
		has("one")
		if f.tries() != 2 {
			t.Errorf("%d certificates, want those two that are stored", f.tries())
		}
		stop()
	})
}

func TestAThousandCertificatesArePublishedTogether(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCA{t: t, life: 90 * day}
		m, _, stop := begin(t, dir, f)
		var wishes []Wanted
		for i := range 4*batch + 1 {
			w := plain()
			w.Name = fmt.Sprintf("site-%d", i)
			w.Domains = []string{w.Name + ".example.com"}
			wishes = append(wishes, w)
		}
		m.Update(wishes)
		synctest.Wait()
		stop()
		m, w, stop := begin(t, dir, f)
		m.Update(wishes)
		if items := m.Items(); len(items) != len(wishes) {
			t.Errorf("%d items before anything ran, want %d", len(items), len(wishes))
		}
		synctest.Wait()
		if n := w.count(Certificate); n != len(wishes) || w.calls != 5 {
			t.Errorf("%d certificates in %d calls", n, w.calls)
		}
		stop()
	})
}

// The successor of a control process begins while the old one is still at work.
func TestASuccessorWaitsAndOrdersNothingAgain(t *testing.T) {
	dir := t.TempDir()
	f := &fakeCA{t: t, life: 90 * day}
	later := &fakeCA{t: t, life: 90 * day}
	next := &workers{items: map[string]Item{}, changed: make(chan struct{})}
	m, err := New(Options{Dir: dir, Publisher: next})
	if err != nil {
		t.Fatal(err)
	}
	m.obtain = later.obtain
	m.Update([]Wanted{plain()}) // nothing is stored yet

	old, w, stop := begin(t, dir, f)
	old.Update([]Wanted{plain()})
	first := w.await(t, "site")
	awaitStatus(t, old, "site", func(s Status) bool { return s.NextAttempt.After(time.Now()) })
	stopNext := run(t, m)
	time.Sleep(time.Second) // in which it could do what it must not
	if later.tries() != 0 || next.count(Certificate) != 0 {
		t.Error("the successor did not wait")
	}
	stop()
	if got := next.await(t, "site"); string(got.Chain) != string(first.Chain) || later.tries() != 0 {
		t.Errorf("another certificate, %d orders", later.tries())
	}
	stopNext()
}

func TestAProviderThatIsNotSetUpCostsNoOrder(t *testing.T) {
	w := &workers{items: map[string]Item{}, changed: make(chan struct{})}
	m, _ := manage(t, Options{Dir: t.TempDir(), Publisher: w})
	wish := plain()
	wish.Directory = "https://127.0.0.1:1/dir"
	for _, c := range []struct{ provider, url, want string }{
		{"cf", "$ENV:NOWHERE", "the environment has no NOWHERE"},
		{"cf", "https://api.cloudflare.com", "token is required"},
		{"godaddy", "https://example.com", "expected one of"},
	} {
		wish.Challenge, wish.DNSProvider, wish.DNSServiceURL = DNS01, c.provider, config.Secret(c.url)
		m.Update([]Wanted{wish})
		awaitStatus(t, m, "site", func(s Status) bool { return strings.Contains(s.LastError, c.want) })
	}
	if n := spent(m, budget.Order); n != 0 {
		t.Errorf("%d orders", n)
	}
}

func TestOldCertificatesThatNobodyWantsAreRemoved(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCA{t: t, life: 10 * day}
		m, _, stop := begin(t, dir, f)
		kept := plain()
		kept.Name, kept.Domains = "kept", []string{"b.example.com"}
		m.Update([]Wanted{plain(), kept})
		synctest.Wait()
		m.Update([]Wanted{kept})
		time.Sleep(39 * day)
		synctest.Wait()
		if files, err := m.store.Names("certificates"); err != nil || len(files) != 2 {
			t.Errorf("files %q, %v", files, err)
		}
		time.Sleep(3 * day)
		synctest.Wait()
		if files, err := m.store.Names("certificates"); err != nil || len(files) != 1 {
			t.Errorf("files %q, %v", files, err)
		}
		stop()
	})
}

func TestADamagedCertificateIsSetAsideAndADamagedAccountIsNot(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCA{t: t, life: 90 * day}
		m, _, stop := begin(t, dir, f)
		m.Update([]Wanted{plain()})
		synctest.Wait()
		stop()
		files, err := filepath.Glob(filepath.Join(dir, "certificates", "*.json"))
		if err != nil || len(files) != 1 {
			t.Fatalf("files %q, %v", files, err)
		}
		data, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(files[0], data[:len(data)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		m, w, stop := begin(t, dir, f)
		m.Update([]Wanted{plain()})
		synctest.Wait()
		if _, ok := w.get(Certificate, "site"); !ok || f.tries() != 2 {
			t.Errorf("there: %v, %d orders", ok, f.tries())
		}
		if _, err := os.Stat(files[0] + ".damaged"); err != nil {
			t.Error(err)
		}
		wish, err := plain().normal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.account(wish); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, accountFile(wish.accountID()))
		if err := os.WriteFile(name, []byte(`{"key":"`), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := m.account(wish); err == nil {
			t.Error("a damaged account key was replaced")
		}
		stop()
	})
}

func TestADamagedLedgerBeginsAnew(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, stateFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := New(Options{Dir: dir, Publisher: &workers{}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := os.Stat(filepath.Join(dir, stateFile+".damaged")); err != nil {
		t.Error(err)
	}
}

func TestTheLimitsAreThoseOfTheCA(t *testing.T) {
	for directory, want := range map[string]int{
		LetsEncrypt: len(budget.LetsEncrypt()),
		"https://acme-staging-v02.api.letsencrypt.org/directory": len(budget.LetsEncrypt()),
		"https://ca.example/dir":                                 len(budget.Any()),
		"https://api.letsencrypt.org.evil.example/dir":           len(budget.Any()),
	} {
		if got := len(limitsOf(directory)); got != want {
			t.Errorf("%s has %d limits, want %d", directory, got, want)
		}
	}
	w, err := Wanted{Domains: []string{"a.example.co.uk", "b.example.co.uk", "*.example.co.uk", "example.com", "single"}, Challenge: DNS01}.normal()
	if err != nil {
		t.Fatal(err)
	}
	var registered []string
	for _, e := range w.certificateEvents(time.Now(), false) {
		if e.Kind == budget.Domain {
			registered = append(registered, e.What)
		}
	}
	slices.Sort(registered)
	if want := []string{"example.co.uk", "example.com", "single"}; !slices.Equal(registered, want) {
		t.Errorf("registered domains %q, want %q", registered, want)
	}
	if n := len(w.certificateEvents(time.Now(), true)); n != 1 {
		t.Errorf("a renewal costs %d events, want 1", n)
	}
}

// autocert starts a timer for each certificate that starts itself anew for ever; what it asks ends it.
func TestTheTimerOfAutocertEnds(t *testing.T) {
	c := &tokenCache{}
	c.over.Store(true)
	done := make(chan bool, 1)
	go func() {
		went := false
		defer func() { done <- went }()
		_, _ = c.Get(context.Background(), "a.example.com")
		went = true
	}()
	if <-done {
		t.Error("the goroutine went on")
	}
	if _, err := (&tokenCache{}).Get(context.Background(), "a.example.com"); err == nil {
		t.Error("an attempt found something")
	}
}

func TestTokensThatAreNoneAreNotPublished(t *testing.T) {
	for token, want := range map[string]bool{
		"abc_DEF-0": true, "": false, "../x": false, "a b": false, "a%2f": false, strings.Repeat("a", 257): false, "é": false,
	} {
		if got := isToken(token); got != want {
			t.Errorf("%q: %v", token, got)
		}
	}
}

func TestANewManagerNeedsAPublisherAndAFolder(t *testing.T) {
	if _, err := New(Options{Dir: t.TempDir()}); err == nil {
		t.Error("no publisher, no error")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Dir: file, Publisher: &workers{}}); err == nil {
		t.Error("a file, no error")
	}
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(Options{Root: root, Publisher: &workers{}, Transport: &http.Transport{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatWasSpentSurvivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	w, err := plain().normal()
	if err != nil {
		t.Fatal(err)
	}
	for range 4 { // a process each
		m, err := New(Options{Dir: dir, Publisher: &workers{}})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.ledger.spend(limitsOf(w.Directory), []budget.Event{w.failureEvent(time.Now(), "a.example.com")}); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	m, err := New(Options{Dir: dir, Publisher: &workers{}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var refusal *budget.Refusal
	err = m.ledger.spend(limitsOf(w.Directory), []budget.Event{w.failureEvent(time.Now(), "a.example.com")})
	if !errors.As(err, &refusal) || time.Until(refusal.Until) > time.Hour {
		t.Errorf("error %v", err)
	}
}
