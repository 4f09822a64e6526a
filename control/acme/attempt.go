package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/crypto/acme"

	"pingap/control/acme/internal/dns01"
)

// Bounds of an attempt.
const (
	attemptTime  = 15 * time.Minute
	manualTime   = 24 * time.Hour   // until somebody has set the record
	withdrawTime = 10 * time.Second // which the end of the process may have to wait
)

// attempt is one try to get one certificate.
type attempt struct {
	manager *Manager
	job     *job
	wanted  Wanted
	renewal bool
	wire    *wire
	client  *acme.Client
	zones   dns01.Provider // for dns-01 that is not by hand

	mu        sync.Mutex // guards what follows
	published []Item
	withdrawn bool // nothing may be published any more: autocert may come late
}

// failure is why an attempt failed, and what the CA said about the next one.
type failure struct {
	err        error
	retryAfter time.Time
	// anew: the same may succeed at once, because the order had run out, or the CA had forgotten the account.
	anew bool
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// get gets a certificate. An order that expires on the way, and an account that the CA does not know any more, begin
// anew, once.
func (m *Manager) get(ctx context.Context, j *job, w Wanted, renewal bool) (*bundle, error) {
	b, err := m.attempt(ctx, j, w, renewal)
	var f *failure
	if errors.As(err, &f) && f.anew && ctx.Err() == nil {
		b, err = m.attempt(ctx, j, w, renewal)
	}
	return b, err
}

func (m *Manager) attempt(ctx context.Context, j *job, w Wanted, renewal bool) (*bundle, error) {
	transport, err := m.transport(w)
	if err != nil {
		return nil, err
	}
	defer transport.CloseIdleConnections()
	account, err := m.account(w)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &attempt{manager: m, job: j, wanted: w, renewal: renewal}
	a.wire = &wire{ctx: ctx, base: m.before(transport), challenge: w.Challenge, meter: a.meter()}
	defer a.wire.end()
	a.client = &acme.Client{
		Key: account.key, DirectoryURL: w.Directory, HTTPClient: a.wire.client(),
		RetryBackoff: a.wire.retryWait, UserAgent: "pingap",
	}
	b, err := a.run(ctx, account)
	if err == nil {
		return b, nil
	}
	return nil, a.explain(err, account)
}

// run registers where necessary, and takes the way that fits.
func (a *attempt) run(ctx context.Context, account *account) (*bundle, error) {
	defer a.withdraw(ctx)
	if a.wanted.Challenge == DNS01 && !isManual(a.wanted) {
		var err error
		if a.zones, err = a.provider(); err != nil { // before anything is asked of the CA
			return nil, err
		}
	}
	if err := a.manager.register(ctx, a.client, account, a.wanted); err != nil {
		return nil, err
	}
	get := a.byOrder
	if fitsAutocert(a.wanted) {
		get = a.byAutocert
	}
	chain, key, err := get(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err() // autocert's goroutine may still have the client
	}
	// autocert registers each time, and anew where the CA has forgotten the account.
	if kid := string(a.client.KID); kid != account.URI {
		if err := a.manager.remember(account, a.wanted, kid); err != nil {
			a.manager.opt.Log.Warn("address of the account could not be stored", zap.Error(err))
		}
	}
	if err != nil {
		return nil, err
	}
	return newBundle(a.wanted, chain, key, a.manager.opt.Now())
}

// explain makes the error of an attempt.
func (a *attempt) explain(err error, account *account) error {
	w := a.wire
	f := &failure{err: w.verdict(err)}
	w.mu.Lock()
	expired, noAccount := w.expired, w.noAccount
	f.retryAfter = w.retryAfter
	w.mu.Unlock()
	switch {
	case noAccount && account.URI != "":
		if err := a.manager.remember(account, a.wanted, ""); err != nil {
			return err
		}
		f.anew = true
	case expired:
		f.err = fmt.Errorf("the order has expired: %w", f.err)
		f.anew = true
	}
	return f
}

// meter connects the wire to the budget.
func (a *attempt) meter() meter {
	m, w := a.manager, a.wanted
	limits := limitsOf(w.Directory)
	return meter{
		now:   m.opt.Now,
		order: func() error { return m.ledger.spend(limits, w.orderEvents(m.opt.Now())) },
		finalize: func() error {
			return m.ledger.spend(limits, w.certificateEvents(m.opt.Now(), a.renewal))
		},
		failed: func(domain string) {
			if !slices.Contains(w.Domains, domain) && !slices.Contains(w.Domains, "*."+domain) {
				return // the CA must not decide what is written down
			}
			if err := m.ledger.count(w.failureEvent(m.opt.Now(), domain)); err != nil {
				a.wire.fault = err // under the lock of the wire, which calls
			}
		},
	}
}

// publish brings answers to all workers, and remembers to withdraw them.
func (a *attempt) publish(ctx context.Context, items ...Item) error {
	for i := range items {
		if items[i].Kind == Token && !isToken(items[i].Name) {
			return errors.New("the CA sent a token that is none")
		}
		items[i].Expires = a.manager.opt.Now().Add(day)
	}
	a.mu.Lock()
	late := a.withdrawn
	if !late {
		a.published = append(a.published, items...)
	}
	a.mu.Unlock()
	if late {
		return errOver
	}
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	if err := a.manager.opt.Publisher.Publish(ctx, items...); err != nil {
		return fmt.Errorf("not all workers have the answer to the challenge: %w", err)
	}
	if t := a.manager.term(); t != nil {
		if err := t.Publish(ctx, items...); err != nil {
			return fmt.Errorf("other nodes cannot have the answer to the challenge: %w", err)
		}
	}
	return nil
}

// isToken says whether a text can be a token (RFC 8555, section 8.3): it becomes part of a path, and a key in every worker.
func isToken(text string) bool {
	const maxToken = 256
	for _, c := range []byte(text) {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return text != "" && len(text) <= maxToken
}

// withdraw takes the answers back, also when the attempt was cancelled. What cannot be withdrawn expires.
func (a *attempt) withdraw(ctx context.Context) {
	a.mu.Lock()
	a.withdrawn = true
	items := a.published
	a.mu.Unlock()
	if len(items) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTime)
	defer cancel()
	_ = a.manager.opt.Publisher.Withdraw(ctx, items...)
	if t := a.manager.term(); t != nil {
		_ = t.Withdraw(ctx, items...) // else it ends with the term
	}
}

// transport is for the directory of a wish, with the CA certificates that it names.
func (m *Manager) transport(w Wanted) (*http.Transport, error) {
	t := m.opt.Transport.Clone()
	if len(w.CA) == 0 {
		return t, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(w.CA) {
		return nil, errors.New("no certificate in the CA file of the directory")
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}
