package upstream

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"pingap/config"
	"pingap/message"
)

// weighted builds an upstream with backends 10.0.0.1, 10.0.0.2 ... of the given weights.
func weighted(t testing.TB, algo string, weights ...int) *Upstream {
	t.Helper()
	cfg := &config.Upstream{Algo: algo}
	for i, w := range weights {
		cfg.Addrs = append(cfg.Addrs, fmt.Sprintf("10.0.%d.%d:80 %d", i/200, i%200+1, w))
	}
	return build(t, cfg, Options{})
}

// order picks n times and returns the last digits of the addresses.
func order(u *Upstream, n int) string {
	var b strings.Builder
	for range n {
		addr := u.Pick(request("/"), nil).address.Host
		b.WriteByte(addr[len(addr)-1])
	}
	return b.String()
}

func TestRoundRobinIsSmooth(t *testing.T) {
	for _, c := range []struct {
		weights []int
		want    string
	}{
		{[]int{1}, "111111"}, {[]int{1, 1, 1}, "123123123"}, {[]int{7, 7}, "1212"},
		{[]int{5, 1, 1}, "11213111121311"}, {[]int{2, 4}, "212212"},
	} {
		if got := order(weighted(t, "round_robin", c.weights...), len(c.want)); got != c.want {
			t.Errorf("%v: %s, want %s", c.weights, got, c.want)
		}
	}
}

func TestMoreBackendsThanThereMayBeAreLeftOut(t *testing.T) {
	many := make([]int, maxBackends+5)
	for i := range many {
		many[i] = 1 + i
	}
	if n := len(weighted(t, "", many...).Backends()); n != maxBackends {
		t.Errorf("%d backends", n)
	}
}

func TestPickLeavesOutWhatWasTriedAndWhatIsDown(t *testing.T) {
	for _, algo := range []string{"", "hash", "unknown", "least_conn", "random2", "hash:url", "hash:ip"} {
		u := weighted(t, algo, 1, 50, 1, 3)
		all := u.Backends()
		setDown(u, all[3], true)
		var tried []*Backend
		for range 3 {
			b := u.Pick(request("/x"), tried)
			if b == nil || b == all[3] || contains(tried, b) {
				t.Fatalf("%q: %v after %d", algo, b, len(tried))
			}
			tried = append(tried, b)
		}
		if b := u.Pick(request("/x"), tried); b != nil {
			t.Errorf("%q: %s although all were tried", algo, b.Addr)
		}
		for _, b := range all {
			setDown(u, b, true)
		}
		if b := u.Pick(request("/x"), nil); b != nil {
			t.Errorf("%q: %s although all are down", algo, b.Addr)
		}
		setDown(u, all[3], false)
		if b := u.Pick(request("/x"), nil); b != all[3] {
			t.Errorf("%q: %v, want the one that is up again", algo, b)
		}
	}
	if b := build(t, &config.Upstream{Addrs: []string{"web"}, Discovery: "docker"}, Options{}).Pick(request("/"), nil); b != nil {
		t.Errorf("docker: %s", b.Addr)
	}
}

func TestWhatIsDownLeavesItsShareToAll(t *testing.T) {
	u := weighted(t, "", 1, 1, 1, 1)
	setDown(u, u.Backends()[1], true)
	if got := order(u, 6); strings.Count(got, "1") != 2 || strings.Count(got, "3") != 2 || strings.Count(got, "4") != 2 {
		t.Error(got)
	}
}

func TestLeastConnPrefersFewRequestsForTheWeight(t *testing.T) {
	u := weighted(t, "least_conn", 1, 2, 1)
	a, b, c := u.Backends()[0], u.Backends()[1], u.Backends()[2]
	a.Begin()
	b.Begin()
	if got := u.Pick(request("/"), nil); got != c {
		t.Errorf("%s, want the idle one", got.Addr)
	}
	c.Begin()
	if got := u.Pick(request("/"), nil); got != b {
		t.Errorf("%s, want the one of double weight", got.Addr)
	}
	if got := u.Pick(request("/"), []*Backend{b}); got == b || got == nil {
		t.Error("picked what was tried")
	}
	for range 40 {
		next := u.Pick(request("/"), nil)
		next.Begin()
	}
	if got := b.InFlight() - a.InFlight() - c.InFlight(); got < -2 || got > 2 {
		t.Errorf("in flight %d %d %d, want 1:2:1", a.InFlight(), b.InFlight(), c.InFlight())
	}
	a.End()
	if got := u.Pick(request("/"), nil); got != a {
		t.Errorf("%s, want the one that got free", got.Addr)
	}
	if got := order(weighted(t, "least_conn", 1, 1, 1), 6); got != "123123" {
		t.Errorf("idle backends take turns: %s", got)
	}
}

func TestRandom2PrefersTheLessLoaded(t *testing.T) {
	u := weighted(t, "random2", 1, 1, 1, 1)
	busy := u.Backends()[0]
	for range 10 {
		busy.Begin()
	}
	counts := map[*Backend]int{}
	for range 3000 {
		counts[u.Pick(request("/"), nil)]++
	}
	// The busy one is taken only when both draws, with repetitions, fell on it.
	if counts[busy] > 30 {
		t.Errorf("the busy one got %d of 3000", counts[busy])
	}
	for _, b := range u.Backends()[1:] {
		if counts[b] < 700 || counts[b] > 1300 {
			t.Errorf("%s got %d of 3000", b.Addr, counts[b])
		}
	}
}

func keysOf(u *Upstream, n int) map[string]*Backend {
	keys := map[string]*Backend{}
	for i := range n {
		target := fmt.Sprintf("/items/%d?x=%d", i, i*7)
		keys[target] = u.Pick(request(target), nil)
	}
	return keys
}

func TestHashMovesOnlyTheKeysOfABackendThatLeaves(t *testing.T) {
	const keys = 20_000
	ten := weighted(t, "hash:url", 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	nine := weighted(t, "hash:url", 1, 1, 1, 1, 1, 1, 1, 1, 1)
	before, after := keysOf(ten, keys), keysOf(nine, keys)
	moved, share := 0, map[string]int{}
	for key, b := range before {
		share[b.Addr]++
		if after[key].Addr == b.Addr {
			continue
		}
		moved++
		if b.Addr != "10.0.0.10:80" {
			t.Fatalf("a key of %s moved", b.Addr)
		}
	}
	if moved < keys/10*7/10 || moved > keys/10*13/10 {
		t.Errorf("%d of %d keys moved, want about a tenth", moved, keys)
	}
	for addr, n := range share {
		if n < keys/10*7/10 || n > keys/10*13/10 {
			t.Errorf("%s has %d of %d keys", addr, n, keys)
		}
	}
	setDown(ten, ten.Backends()[9], true) // down is the same as gone
	for key, b := range keysOf(ten, 2000) {
		if b.Addr != after[key].Addr {
			t.Fatalf("%s: %s while one is down, %s without it", key, b.Addr, after[key].Addr)
		}
	}
}

func TestHashFollowsWeights(t *testing.T) {
	for _, weights := range [][]int{{1, 3}, {10_000, 30_000}} {
		share := map[string]int{}
		for _, b := range keysOf(weighted(t, "hash:path", weights...), 20_000) {
			share[b.Addr]++
		}
		if n := share["10.0.0.2:80"]; n < 14_000 || n > 16_000 {
			t.Errorf("%v: the heavier has %d of 20000 keys, want about 15000", weights, n)
		}
	}
}

func TestHashDependsOnWhatIsNamed(t *testing.T) {
	vary := map[string]func(r *message.Record, text string){
		"hash:url":          func(r *message.Record, text string) { r.Request.SetTarget([]byte("/a?" + text)) },
		"hash:path":         func(r *message.Record, text string) { r.Request.SetTarget([]byte("/" + text)) },
		"hash:other":        func(r *message.Record, text string) { r.Request.SetTarget([]byte("/" + text)) },
		"hash:ip":           func(r *message.Record, text string) { r.ClientIPText = []byte(text) },
		"hash:header:X-Key": func(r *message.Record, text string) { r.Request.Fields.Set("x-key", []byte(text)) },
		"hash:cookie:sid": func(r *message.Record, text string) {
			r.Request.Fields.Set("Cookie", []byte("a=1; sid="+text+"; b=2"))
		},
		"hash:query:id": func(r *message.Record, text string) { r.Request.SetTarget([]byte("/?x=1&id=" + text + "&y=2")) },
	}
	full := func() *message.Record {
		r := request("/a?id=7&x=1")
		r.ClientIPText = []byte("192.0.2.1")
		r.Request.Fields.Add("X-Key", []byte("k"))
		r.Request.Fields.Add("Cookie", []byte("sid=s"))
		return r
	}
	for algo, change := range vary {
		u := weighted(t, algo, 1, 1, 1, 1, 1, 1, 1, 1)
		seen := map[*Backend]bool{}
		for i := range 100 {
			r := full()
			change(r, fmt.Sprint(i))
			seen[u.Pick(r, nil)] = true
			if first, again := u.Pick(r, nil), u.Pick(r, nil); first != again {
				t.Errorf("%s: one key, two backends", algo)
			}
		}
		if len(seen) < 6 {
			t.Errorf("%s: 100 keys reached %d of 8 backends", algo, len(seen))
		}
		for other, change := range vary {
			base, changed := full(), full()
			if change(changed, "zzz"); u.algo.Key(base) != u.algo.Key(changed) && unrelated(algo, other) {
				t.Errorf("%s: the key depends on %s", algo, other)
			}
		}
	}
}

// unrelated reports whether what one algo hashes is no part of what the other does.
func unrelated(a, b string) bool {
	target := func(algo string) bool {
		return !strings.Contains(algo, "ip") && !strings.Contains(algo, "header") && !strings.Contains(algo, "cookie")
	}
	return a != b && !(target(a) && target(b))
}

func TestHashWithoutItsValueIsOneBackend(t *testing.T) {
	u := weighted(t, "hash:header:x-none", 1, 1, 1, 1)
	for key, b := range keysOf(u, 50) {
		if b != u.Pick(request("/"), nil) {
			t.Errorf("%s: %s", key, b.Addr)
		}
	}
}

func BenchmarkPick(b *testing.B) {
	for _, algo := range []string{"round_robin", "least_conn", "random2", "hash:url"} {
		b.Run(algo, func(b *testing.B) {
			u := weighted(b, algo, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
			var none atomic.Bool
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				rec := request("/items/17?x=1")
				for pb.Next() {
					if u.Pick(rec, nil) == nil {
						none.Store(true)
					}
				}
			})
			if none.Load() {
				b.Fatal("no backend")
			}
		})
	}
}
