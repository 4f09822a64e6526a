package jwt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pingap/plugins"
)

const (
	minTTL = time.Second
	maxTTL = 7 * 24 * time.Hour
	// usualPause is the shortest time between two fetches, whatever tokens ask for.
	usualPause = 10 * time.Second
	// fetchTime bounds a fetch, and so how long a request may wait for one.
	fetchTime = 5 * time.Second
	maxSet    = 1 << 20 // bytes
)

// keySet are keys that are fetched. Any number of requests ask for keys; one fetch is under way at a time.
type keySet struct {
	url        *url.URL
	allowed    []string
	ttl, pause time.Duration
	transport  *http.Transport
	log        *zap.Logger

	known atomic.Pointer[known]

	ended   context.Context // over when the set is closed
	end     context.CancelFunc
	fetches sync.WaitGroup

	mu      sync.Mutex // guards what follows
	flight  chan struct{}
	tried   time.Time // the last fetch began
	failing bool      // it failed
}

// known is what was fetched; never changed.
type known struct {
	keys []publicKey
	at   time.Time
}

func newKeySet(p *plugins.Parameters, allowed []string) (*keySet, error) {
	u, urlErr := readURL(p.String("jwks_url"))
	ttl := p.Duration("jwks_ttl")
	var ttlErr error
	if ttl < minTTL || ttl > maxTTL {
		ttlErr = plugins.Errorf("jwks_ttl", "expected %s to 7d, found %s", minTTL, ttl)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, DisableKeepAlives: true, // it is seldom used
		MaxResponseHeaderBytes: 64 << 10,
	}
	caErr := trust(transport, p)
	if err := errors.Join(urlErr, ttlErr, caErr); err != nil {
		return nil, err
	}
	s := &keySet{url: u, allowed: allowed, ttl: ttl, pause: min(ttl, usualPause), transport: transport, log: p.Services().Logger("jwt")}
	s.known.Store(&known{})
	s.ended, s.end = context.WithCancel(context.Background())
	return s, nil
}

func readURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "" || u.User != nil {
		return nil, plugins.Errorf("jwks_url", "expected an address such as https://id.example.com/.well-known/jwks.json, without user")
	}
	return u, nil
}

func trust(transport *http.Transport, p *plugins.Parameters) error {
	pem, err := p.PEM("jwks_ca")
	if err != nil || pem == nil {
		return err
	}
	transport.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return plugins.Errorf("jwks_ca", "there is no certificate in it")
	}
	return nil
}

var errNoKey = errors.New("there is no key for it")

// find returns the key of a token. It waits for a fetch where it has no key, or the keys are too old and fetching did not fail the last time:
// while the place that has them is away, those that are known serve on.
func (s *keySet) find(kid, algorithm string) (any, error) {
	before := s.known.Load()
	key := before.find(kid, algorithm)
	if key != nil && time.Since(before.at) < s.ttl {
		return key, nil
	}
	flight, failing := s.refresh()
	if flight != nil && (key == nil || !failing) {
		<-flight // in fetchTime, or when the set is closed
	}
	if now := s.known.Load(); now != before {
		key = now.find(kid, algorithm)
	}
	if key == nil {
		return nil, errNoKey
	}
	return key, nil
}

// find returns the key for a kid. A token without one is verified if only one key comes into question.
func (k *known) find(kid, algorithm string) any {
	var found any
	for i := range k.keys {
		each := &k.keys[i]
		if kid != "" && each.kid != kid || !slices.Contains(each.algorithms, algorithm) {
			continue
		}
		if kid != "" {
			return each.key
		}
		if found != nil {
			return nil
		}
		found = each.key
	}
	return found
}

// refresh begins a fetch unless one is under way or was lately. It returns what is closed when the one under way is over, nil for none,
// and whether the last one failed.
func (s *keySet) refresh() (flight <-chan struct{}, failing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight == nil && time.Since(s.tried) >= s.pause && s.ended.Err() == nil {
		done := make(chan struct{})
		s.flight, s.tried = done, time.Now()
		s.fetches.Go(func() { s.fetch(done) }) // ends in fetchTime; close waits for it
	}
	return s.flight, s.failing
}

func (s *keySet) fetch(done chan struct{}) {
	keys, err := s.get()
	if err == nil {
		s.known.Store(&known{keys: keys, at: time.Now()})
	} else if s.ended.Err() == nil {
		s.log.Warn("the key set cannot be fetched, the known keys are used on", zap.String("host", s.url.Host), zap.Int("known", len(s.known.Load().keys)), zap.Error(err))
	}
	s.mu.Lock()
	s.flight, s.failing = nil, err != nil
	s.mu.Unlock()
	close(done)
}

// get fetches the set. Redirects are not followed.
func (s *keySet) get() ([]publicKey, error) {
	ctx, cancel := context.WithTimeout(s.ended, fetchTime)
	defer cancel()
	request := &http.Request{Method: http.MethodGet, URL: s.url, Host: s.url.Host, Header: http.Header{"Accept": {"application/jwk-set+json, application/json"}}}
	response, err := s.transport.RoundTrip(request.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		return nil, fmt.Errorf("the answer has the status %d", response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxSet+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSet {
		return nil, fmt.Errorf("it has more than %d bytes", maxSet)
	}
	return parseKeys(data, s.allowed)
}

// close ends a fetch that is under way, and returns when it is over.
func (s *keySet) close() {
	s.mu.Lock()
	s.end() // none begins any more
	s.mu.Unlock()
	s.fetches.Wait()
	s.transport.CloseIdleConnections()
}
