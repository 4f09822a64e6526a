package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"pingap/config"
)

var (
	errGone   = &net.DNSError{Err: "no such host", IsNotFound: true}
	errServer = &net.DNSError{Err: "server misbehaving", IsTemporary: true}
)

// zone answers look-ups in place of a name server.
type zone struct {
	mu      sync.Mutex
	addrs   map[string]string // blank separated; "gone", "fail" and "hang" are no addresses
	asked   []string
	network string
}

func (z *zone) set(host, addrs string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.addrs[host] = addrs
}

func (z *zone) count(host string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	n := 0
	for _, asked := range z.asked {
		if asked == host {
			n++
		}
	}
	return n
}

func (z *zone) lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	z.mu.Lock()
	z.asked, z.network = append(z.asked, host), network
	answer := z.addrs[host]
	z.mu.Unlock()
	switch answer {
	case "fail":
		return nil, errServer
	case "", "gone":
		return nil, errGone
	case "hang":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var addrs []netip.Addr
	for text := range strings.FieldsSeq(answer) {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	return addrs, nil
}

func resolving(t *testing.T, cfg *config.Upstream, z *zone, logger *zap.Logger) *Upstream {
	t.Helper()
	u, err := newUpstream(cfg, Options{Logger: logger}, z.lookup)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func addrsOf(u *Upstream) string {
	var out []string
	for _, b := range u.Backends() {
		out = append(out, b.Addr)
	}
	return strings.Join(out, " ")
}

// after lets time pass, and everything settle.
func after(d time.Duration) {
	time.Sleep(d) // in a synctest bubble: no real time
	synctest.Wait()
}

func TestNamesBecomeBackendsWithPortAndWeight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{addrs: map[string]string{"web.local": "10.0.0.2 10.0.0.1 ::ffff:10.0.0.2 2001:db8::1", "one.local": "10.0.0.1"}}
		z.mu.Lock() // no answer yet
		u := resolving(t, &config.Upstream{Addrs: []string{"10.9.9.9:80", "web.local:8080 3", "one.local:8080 9"}, IPv4Only: true}, z, nil)
		defer u.Close()
		if got := addrsOf(u); got != "10.9.9.9:80" {
			t.Errorf("before the names are known: %s", got)
		}
		z.mu.Unlock()
		u.WaitReady(t.Context())
		if got := addrsOf(u); got != "10.9.9.9:80 10.0.0.1:8080 10.0.0.2:8080 [2001:db8::1]:8080" {
			t.Error(got)
		}
		if weights := u.set.Load().entries; weights[1].weight != 3 || weights[0].weight != 1 {
			t.Errorf("%+v", weights)
		}
		if z.network != "ip4" {
			t.Errorf("asked for %s", z.network)
		}
	})
}

func TestStaticNamesAreRetriedUntilTheyResolveAndThenKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{addrs: map[string]string{"a": "10.0.0.1", "b": "fail"}}
		core, logs := observer.New(zapcore.InfoLevel)
		u := resolving(t, &config.Upstream{Name: "web", Addrs: []string{"a", "b"}, Discovery: "static"}, z, zap.New(core))
		defer u.Close()
		u.WaitReady(t.Context())
		if got := addrsOf(u); got != "10.0.0.1:80" {
			t.Errorf("one name fails: %s", got)
		}
		after(10 * time.Minute)
		if n := z.count("b"); n < 20 || n > 30 {
			t.Errorf("%d attempts in ten minutes", n)
		}
		if n := logs.FilterMessage("name of a backend does not resolve").Len(); n != 1 {
			t.Errorf("%d warnings", n)
		}
		z.set("b", "10.0.0.2")
		after(time.Minute)
		if got := addrsOf(u); got != "10.0.0.1:80 10.0.0.2:80" {
			t.Errorf("after it resolved: %s", got)
		}
		if n := logs.FilterMessage("name of a backend resolves again").Len(); n != 1 {
			t.Errorf("%d notes", n)
		}
		z.set("a", "10.0.0.9")
		after(24 * time.Hour)
		if z.count("a") != 1 || goroutines() != 0 {
			t.Errorf("a static name was asked %d times", z.count("a"))
		}
	})
}

func TestNamesAreRefreshed(t *testing.T) {
	for _, c := range []struct {
		frequency config.Duration
		discovery string
		in        time.Duration
	}{
		{0, "", time.Minute}, {0, "dns", time.Minute}, {config.Duration(20 * time.Second), "dns", 20 * time.Second},
		{1, "dns", 5 * time.Second}, {config.Duration(time.Hour), "", 5 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			z := &zone{addrs: map[string]string{"a": "10.0.0.1 10.0.0.2"}}
			u := resolving(t, &config.Upstream{Addrs: []string{"a"}, Discovery: c.discovery, UpdateFrequency: c.frequency}, z, nil)
			defer u.Close()
			u.WaitReady(t.Context())
			kept := u.Backends()[1]
			z.set("a", "10.0.0.3 10.0.0.2")
			after(c.in * 8 / 10)
			if z.count("a") != 1 {
				t.Errorf("%+v: asked again too early", c)
			}
			after(c.in * 3 / 10)
			if z.count("a") != 2 || addrsOf(u) != "10.0.0.2:80 10.0.0.3:80" || u.Backends()[0] != kept {
				t.Errorf("%+v: %s after %d look-ups", c, addrsOf(u), z.count("a"))
			}
		})
	}
}

func TestAFailedRefreshKeepsTheOldSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{addrs: map[string]string{"a": "10.0.0.1", "b": "10.0.0.2"}}
		u := resolving(t, &config.Upstream{Addrs: []string{"a", "b"}, Discovery: "dns"}, z, nil)
		defer u.Close()
		u.WaitReady(t.Context())
		steps := []struct{ a, b, want string }{
			{"fail", "hang", "10.0.0.1:80 10.0.0.2:80"},
			{"gone", "10.0.0.2", "10.0.0.2:80"}, // gone for good, and another is there
			{"gone", "gone", "10.0.0.2:80"},     // never none
			{"10.0.0.7", "gone", "10.0.0.7:80"},
			{"10.0.0.7", "10.0.0.8", "10.0.0.7:80 10.0.0.8:80"},
		}
		for _, step := range steps {
			z.set("a", step.a)
			z.set("b", step.b)
			after(5 * time.Minute)
			if got := addrsOf(u); got != step.want {
				t.Errorf("%+v: %s", step, got)
			}
		}
	})
}

func TestOneNameThatHangsDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{addrs: map[string]string{"slow": "hang", "a": "10.0.0.1"}}
		u := resolving(t, &config.Upstream{Addrs: []string{"slow", "a"}}, z, nil)
		defer u.Close()
		synctest.Wait()
		if got := addrsOf(u); got != "10.0.0.1:80" {
			t.Errorf("at once: %q", got)
		}
		started := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		u.WaitReady(ctx)
		if waited := time.Since(started); waited != time.Second {
			t.Errorf("waited %v, want until the bound", waited)
		}
		u.WaitReady(t.Context())
		if waited := time.Since(started); waited != lookupTimeout {
			t.Errorf("the look-up took %v", waited)
		}
	})
}

func TestLookupsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{addrs: map[string]string{}}
		var addrs []string
		for i := range 10 {
			name := fmt.Sprintf("n%d", i)
			addrs = append(addrs, name)
			z.set(name, "hang")
		}
		shared := make(chan struct{}, 3)
		for range 2 {
			u, err := newUpstream(&config.Upstream{Addrs: addrs}, Options{Lookups: shared}, z.lookup)
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
		}
		synctest.Wait()
		if len(z.asked) != 3 {
			t.Errorf("%d at once", len(z.asked))
		}
	})
}

func TestCloseEndsTheGoroutineInAnyState(t *testing.T) {
	for _, answer := range []string{"10.0.0.1", "fail", "hang"} {
		synctest.Test(t, func(t *testing.T) { // fails when a goroutine is left behind
			z := &zone{addrs: map[string]string{"a": answer, "b": "hang"}}
			u := resolving(t, &config.Upstream{Addrs: []string{"a", "b"}, Discovery: "dns"}, z, nil)
			if answer != "hang" {
				after(time.Minute)
			}
			started := time.Now()
			u.Close()
			if time.Since(started) != 0 {
				t.Errorf("%s: closing took %v", answer, time.Since(started))
			}
			u.Close()
		})
	}
}

func TestBackendsThatLeftAreForgottenWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{addrs: map[string]string{"a": "10.0.0.1 10.0.0.2"}}
		u := resolving(t, &config.Upstream{Addrs: []string{"a"}}, z, nil)
		defer u.Close()
		u.WaitReady(t.Context())
		left := u.Backends()[0]
		here, peer := net.Pipe()
		defer peer.Close()
		c := &Conn{Conn: here, Raw: aliveConn{}, Backend: left}
		c.look = func(uintptr) { c.lookErr = syscall.EAGAIN }
		u.open.Add(1)
		left.Begin()
		z.set("a", "10.0.0.2")
		after(2 * time.Minute)
		left.Put(c)
		now := c.idleSince
		sweep := func(now int64, wantKnown int, wantOpen int64) {
			t.Helper()
			if u.Sweep(now); len(u.known) != wantKnown || u.OpenConnections() != wantOpen {
				t.Errorf("%d known, %d open, want %d and %d", len(u.known), u.OpenConnections(), wantKnown, wantOpen)
			}
		}
		sweep(now+int64(departedIdle), 2, 1) // a request is in flight
		left.End()
		sweep(now+int64(departedIdle)-1, 2, 1)
		sweep(now+int64(departedIdle), 1, 0)
		z.set("a", "10.0.0.1")
		after(2 * time.Minute)
		if b := u.Backends()[0]; b == left || b.Addr != left.Addr {
			t.Error("a forgotten backend is back with its old state")
		}
	})
}

// aliveConn is a descriptor that nobody looks at.
type aliveConn struct{}

func (aliveConn) Control(f func(uintptr)) error  { f(^uintptr(0)); return nil }
func (aliveConn) Read(func(uintptr) bool) error  { return errors.ErrUnsupported }
func (aliveConn) Write(func(uintptr) bool) error { return errors.ErrUnsupported }

func TestSearchDomainsAreTriedInOrder(t *testing.T) {
	cases := []struct{ search, domain, host, want string }{
		{"", "", "web", "web"}, {"", "", "a.b", "a.b"},
		{"one.local, two.local.", "", "web", "web.one.local. web.two.local. web."},
		{"one.local", "", "a.b", "a.b. a.b.one.local."},
		{"", "corp", "web", "web.corp. web."}, {"one", "corp", "web", "web.one. web.corp. web."},
		{"one.local", "corp", "abs.", "abs."},
	}
	for _, c := range cases {
		got := candidates(&config.Upstream{DNSSearch: c.search, DNSDomain: c.domain}, c.host)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		z := &zone{addrs: map[string]string{"web.two.": "10.0.0.1"}}
		u := resolving(t, &config.Upstream{Addrs: []string{"web"}, DNSSearch: "one,two"}, z, nil)
		defer u.Close()
		u.WaitReady(t.Context())
		if got := addrsOf(u); got != "10.0.0.1:80" || !slices.Equal(z.asked, []string{"web.one.", "web.two."}) {
			t.Errorf("%q after %q", got, z.asked)
		}
	})
}
