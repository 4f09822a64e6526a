package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pingap/config"
	"pingap/control/discovery/internal/dns"
)

// zone is a resolver whose answers the test writes. It takes no time.
type zone struct {
	mu      sync.Mutex
	answers map[string]string // by name: addresses; or SRV as "priority weight port target"; "gone", "empty" or "fail"
	failed  map[string]bool   // names of which IPv6 fails
	ttl     time.Duration
	asked   map[string]int
}

func newZone(ttl time.Duration) *zone {
	return &zone{answers: map[string]string{}, failed: map[string]bool{}, ttl: ttl, asked: map[string]int{}}
}

func (z *zone) set(name, answer string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.answers[name] = answer
}

func (z *zone) count(name string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[name]
}

func (z *zone) ask(name string) (string, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked[name]++
	switch text := z.answers[name]; text {
	case "gone":
		return "", dns.ErrGone
	case "empty", "":
		return "", dns.ErrEmpty
	case "fail":
		return "", errors.New("the name server failed")
	default:
		return text, nil
	}
}

func (z *zone) Addresses(_ context.Context, s dns.Settings, name string) (dns.Answer, error) {
	text, err := z.ask(name)
	if err != nil {
		return dns.Answer{}, err
	}
	a := dns.Answer{Name: name, Until: time.Now().Add(z.ttl)}
	for _, word := range strings.Fields(text) {
		ip := netip.MustParseAddr(word)
		a.Addrs = append(a.Addrs, dns.Address{IP: ip, Origin: dns.Origin{Name: name, IPv6: ip.Is6()}})
	}
	if z.failed[name] {
		a.Failed = []dns.Origin{{Name: name, IPv6: true}}
	}
	return a, nil
}

func (z *zone) Services(_ context.Context, s dns.Settings, name string) (dns.Answer, error) {
	text, err := z.ask(name)
	if err != nil {
		return dns.Answer{}, err
	}
	a := dns.Answer{Name: name, Until: time.Now().Add(z.ttl)}
	for one := range strings.SplitSeq(text, ",") {
		var s dns.Service
		fmt.Sscan(one, &s.Priority, &s.Weight, &s.Port, &s.Target)
		a.Services = append(a.Services, s)
	}
	return a, nil
}

// watch is a Run that a test looks at.
type watch struct {
	mu      sync.Mutex
	updates []Update
	done    chan struct{}
	cancel  context.CancelFunc
}

func start(t *testing.T, f *Finder, u *config.Upstream) *watch {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(w.done)
		f.Run(ctx, u, func(up Update) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.updates = append(w.updates, up)
		})
	}()
	return w
}

// in runs a test in a bubble of its own time, with a Finder that asks z.
func in(t *testing.T, z *zone, u *config.Upstream, fn func(w *watch)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := New(Options{})
		f.names = z
		w := start(t, f, u)
		fn(w)
		w.end()
	})
}

func (w *watch) end() {
	w.cancel()
	<-w.done
}

func (w *watch) last() Update {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.updates) == 0 {
		return Update{}
	}
	return w.updates[len(w.updates)-1]
}

func (w *watch) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.updates)
}

// after lets time pass, and returns the backends then.
func (w *watch) after(d time.Duration) string {
	time.Sleep(d)
	synctest.Wait()
	return w.last().text()
}

// text has a backend as "address*weight", with + before backups.
func (u Update) text() string {
	var out []string
	for _, e := range u.Endpoints {
		text := e.Address.String()
		if e.Weight != 1 {
			text += fmt.Sprintf("*%d", e.Weight)
		}
		if e.Backup {
			text = "+" + text
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// until waits in real time for an update.
func (w *watch) until(t *testing.T, what string, fits func(Update) bool) Update {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if u := w.last(); w.count() > 0 && fits(u) {
			return u
		}
	}
	t.Fatalf("%s: %+v", what, w.last())
	return Update{}
}

func (w *watch) becomes(t *testing.T, want string) Update {
	t.Helper()
	return w.until(t, "waiting for "+want, func(u Update) bool { return u.text() == want })
}
