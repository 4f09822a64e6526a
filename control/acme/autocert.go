package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/acme/autocert"
)

// fitsAutocert says whether autocert can get a certificate: one name of at least two labels, and no dns-01.
func fitsAutocert(w Wanted) bool {
	return len(w.Domains) == 1 && w.Challenge != DNS01 && strings.Contains(w.Domains[0], ".")
}

// byAutocert gets a certificate by autocert, which believes that a client asks for it in a handshake. There is a manager for each
// attempt: one that lived longer would renew by timers of its own, without our schedule, and with the old key.
func (a *attempt) byAutocert(ctx context.Context) (chain [][]byte, key *ecdsa.PrivateKey, err error) {
	domain := a.wanted.Domains[0]
	cache := &tokenCache{attempt: a, domain: domain}
	defer cache.over.Store(true)
	manager := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      cache,
		HostPolicy: autocert.HostWhitelist(domain),
		Client:     a.client,
	}
	if a.wanted.Challenge == HTTP01 {
		manager.HTTPHandler(http.NotFoundHandler()) // never called: workers answer. It makes autocert try http-01
	}
	type result struct {
		cert *tls.Certificate
		err  error
	}
	done := make(chan result, 1)
	// autocert takes no context. Its goroutine ends when its next request is refused; if it is waiting to ask the CA again
	// then, after 5 minutes at most.
	go func() {
		cert, err := manager.GetCertificate(&tls.ClientHelloInfo{
			ServerName:   domain,
			CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, // asks for an ECDSA key
		})
		done <- result{cert, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if r.err != nil {
		return nil, nil, r.err
	}
	key, ok := r.cert.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("autocert made a key of type %T", r.cert.PrivateKey)
	}
	return r.cert.Certificate, key, nil
}

// tokenCache is autocert's cache: what it puts there for other servers to answer challenges goes to the workers.
type tokenCache struct {
	attempt *attempt
	domain  string
	over    atomic.Bool
}

// Get has nothing: what is stored was looked at before. After the attempt only the timer calls it that autocert starts
// for each certificate, and that starts itself anew for ever. Its goroutine is ended here, and the timer with it.
func (c *tokenCache) Get(context.Context, string) ([]byte, error) {
	if c.over.Load() {
		runtime.Goexit()
	}
	return nil, autocert.ErrCacheMiss
}

// Put publishes an answer. autocert ignores the error, so the wire has to know it.
func (c *tokenCache) Put(_ context.Context, name string, data []byte) error {
	var item Item
	switch {
	case strings.HasSuffix(name, "+http-01"):
		item = Item{Kind: Token, Name: strings.TrimSuffix(name, "+http-01"), KeyAuth: string(data)}
	case name == c.domain+"+token":
		chain, key, err := splitPEM(data)
		if err != nil {
			c.attempt.wire.fail(err)
			return err
		}
		item = Item{Kind: ALPN, Name: c.domain, Domains: []string{c.domain}, Chain: chain, Key: key}
	default:
		return nil // the certificate itself: GetCertificate returns it
	}
	err := c.attempt.publish(c.attempt.wire.ctx, item)
	if err != nil {
		c.attempt.wire.fail(err)
	}
	return err
}

// Delete does nothing: the end of the attempt withdraws what it published.
func (c *tokenCache) Delete(context.Context, string) error { return nil }

// splitPEM takes autocert's form apart: the key, then certificates.
func splitPEM(data []byte) (chain, key []byte, err error) {
	const end = "PRIVATE KEY-----\n"
	i := strings.LastIndex(string(data), end)
	if i < 0 {
		return nil, nil, errors.New("autocert made a challenge certificate without a key")
	}
	i += len(end)
	return data[i:], data[:i], nil
}
