package discovery

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pingap/config"
)

func TestLiteralsAreToldOnceAndThatIsAll(t *testing.T) {
	z := newZone(time.Minute)
	u := &config.Upstream{Addrs: []string{"10.0.0.1", "10.0.0.2:81 5 backup", "unix:/run/a.sock 2", "[::1]:82", "10.0.0.1:80 9"}}
	for _, discovery := range []string{"", "static", "dns", "moon"} {
		u.Discovery = discovery
		in(t, z, u, func(w *watch) {
			<-w.done
			up := w.last()
			if w.count() != 1 || !up.Tried || !up.Complete || len(up.Problems) > 0 {
				t.Errorf("%d updates, %+v", w.count(), up)
			}
			if got := up.text(); got != "10.0.0.1:80 +10.0.0.2:81*5 /run/a.sock*2 [::1]:82" {
				t.Errorf("backends %s", got)
			}
			if up.Endpoints[1].From != "10.0.0.2:81 5 backup" {
				t.Errorf("from %q", up.Endpoints[1].From)
			}
		})
	}
	u = &config.Upstream{Addrs: []string{"any"}, Discovery: "transparent"}
	in(t, z, u, func(w *watch) {
		<-w.done
		if up := w.last(); !up.Complete || len(up.Endpoints) > 0 {
			t.Errorf("transparent: %+v", up)
		}
	})
}

func TestAThousandStaticUpstreamsCostNothing(t *testing.T) {
	f := New(Options{})
	u := &config.Upstream{}
	for i := range 10 {
		u.Addrs = append(u.Addrs, fmt.Sprintf("10.0.0.%d:80", i+1))
	}
	before := runtime.NumGoroutine()
	began := time.Now()
	total := 0
	for range 1000 {
		f.Run(t.Context(), u, func(up Update) { total += len(up.Endpoints) })
	}
	if total != 10000 {
		t.Errorf("%d backends told", total)
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
	time.Sleep(10 * time.Millisecond)
	if n := runtime.NumGoroutine(); n > before+2 {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

func TestStaticNamesAreLookedUpUntilTheyResolveAndNeverAgain(t *testing.T) {
	z := newZone(time.Second)
	z.set("a", "10.0.0.1 10.0.0.2")
	z.set("b", "fail")
	in(t, z, &config.Upstream{Addrs: []string{"b:81", "a 3", "10.9.9.9"}, Discovery: "static"}, func(w *watch) {
		if got := w.after(0); got != "10.0.0.1:80*3 10.0.0.2:80*3 10.9.9.9:80" {
			t.Errorf("at first: %s", got)
		}
		if up := w.last(); !up.Tried || up.Complete || len(up.Problems) != 1 || !strings.Contains(up.Problems[0], "b:81: the name server failed") {
			t.Errorf("a name fails: %+v", up)
		}
		w.after(10 * time.Minute)
		if n := z.count("b"); n < 15 || n > 40 {
			t.Errorf("asked for the name that fails %d times in ten minutes", n)
		}
		n := w.count()
		z.set("b", "10.0.0.7")
		if got := w.after(time.Minute); got != "10.0.0.7:81 10.0.0.1:80*3 10.0.0.2:80*3 10.9.9.9:80" {
			t.Errorf("at last: %s", got)
		}
		<-w.done
		if up := w.last(); !up.Complete || len(up.Problems) > 0 || w.count() != n+1 {
			t.Errorf("%d updates more, %+v", w.count()-n, up)
		}
		if n := z.count("a"); n != 1 {
			t.Errorf("asked for the name that resolved %d times", n)
		}
	})
}

func TestNamesAreLookedUpByTheirTTL(t *testing.T) {
	for _, c := range []struct {
		ttl, most    time.Duration
		least, upmax int // look-ups in an hour
	}{
		{time.Minute, 0, 54, 61},
		{5 * time.Second, 0, 650, 721},
		{5 * time.Minute, 0, 11, 13},
		{5 * time.Minute, 30 * time.Second, 120, 134},
		{5 * time.Minute, time.Second, 720, 801}, // no more often than 5 s
		{time.Minute, time.Hour, 54, 61},
	} {
		z := newZone(c.ttl)
		z.set("a", "10.0.0.1")
		u := &config.Upstream{Addrs: []string{"a"}, UpdateFrequency: config.Duration(c.most)}
		in(t, z, u, func(w *watch) {
			w.after(time.Hour)
			if n := z.count("a"); n < c.least || n > c.upmax {
				t.Errorf("TTL %v, update_frequency %v: %d look-ups in an hour", c.ttl, c.most, n)
			}
			if w.count() != 2 { // nothing, then the address
				t.Errorf("%d updates", w.count())
			}
		})
	}
}

func TestAChangeOfAddressesIsHot(t *testing.T) {
	z := newZone(20 * time.Second)
	z.set("a", "10.0.0.1")
	in(t, z, &config.Upstream{Addrs: []string{"a:81 4"}}, func(w *watch) {
		w.after(time.Second)
		z.set("a", "10.0.0.2")
		if got := w.after(22 * time.Second); got != "10.0.0.1:81*4 10.0.0.2:81*4" {
			t.Errorf("the old one left at once: %s", got)
		}
		if got := w.after(60 * time.Second); got != "10.0.0.2:81*4" {
			t.Errorf("the old one stays: %s", got)
		}
	})
}

func TestARotatingAnswerLosesNoAddress(t *testing.T) {
	z := newZone(5 * time.Second)
	all := []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}
	z.set("a", all[0])
	in(t, z, &config.Upstream{Addrs: []string{"a"}}, func(w *watch) {
		w.after(0)
		updates := 0
		for i := range 200 {
			z.set("a", all[i%3]+" "+all[(i+1)%3]) // one of three is missing each time
			w.after(5500 * time.Millisecond)
			if i == 4 {
				updates = w.count()
			}
		}
		if got := w.last().text(); got != "10.0.0.1:80 10.0.0.2:80 10.0.0.3:80" {
			t.Errorf("backends %s", got)
		}
		if n := w.count() - updates; n > 10 {
			t.Errorf("%d updates, though nothing changed", n)
		}
	})
}

func TestAFailingSourceKeepsWhatWasKnown(t *testing.T) {
	for _, answer := range []string{"fail", "empty", "gone", "0.0.0.0 224.0.0.1 169.254.169.254"} {
		t.Run(answer, func(t *testing.T) {
			z := newZone(5 * time.Second)
			z.set("a", "10.0.0.1 10.0.0.2")
			in(t, z, &config.Upstream{Addrs: []string{"a"}}, func(w *watch) {
				w.after(time.Second)
				z.set("a", answer)
				n := w.count()
				if got := w.after(time.Hour); got != "10.0.0.1:80 10.0.0.2:80" {
					t.Errorf("backends %s", got)
				}
				if up := w.last(); w.count() != n+1 || len(up.Problems) != 1 || !strings.Contains(up.Problems[0], "kept (2)") || !up.Complete {
					t.Errorf("%d updates, %+v", w.count()-n, up)
				}
				z.set("a", "10.0.0.2")
				if got := w.after(time.Minute); got != "10.0.0.2:80" || len(w.last().Problems) > 0 {
					t.Errorf("afterwards %s, %q", got, w.last().Problems)
				}
			})
		})
	}
}

func TestANameThatIsGoneGoesWhileOthersRemain(t *testing.T) {
	z := newZone(5 * time.Second)
	z.set("a", "10.0.0.1")
	z.set("b", "10.0.0.2")
	in(t, z, &config.Upstream{Addrs: []string{"a", "b"}}, func(w *watch) {
		w.after(time.Second)
		z.set("a", "gone")
		if got := w.after(30 * time.Second); got != "10.0.0.1:80 10.0.0.2:80" {
			t.Errorf("after 30 s: %s", got)
		}
		if got := w.after(40 * time.Second); got != "10.0.0.2:80" {
			t.Errorf("after 70 s: %s", got)
		}
		z.set("b", "gone")
		if got := w.after(time.Hour); got != "10.0.0.2:80" {
			t.Errorf("the last one: %s", got)
		}
		z.set("a", "10.0.0.9")
		if got := w.after(2 * time.Minute); got != "10.0.0.9:80" {
			t.Errorf("when the other is back: %s", got)
		}
	})
}

func TestABriefNXDOMAINIsNotBelieved(t *testing.T) {
	z := newZone(5 * time.Second)
	z.set("a", "10.0.0.1")
	in(t, z, &config.Upstream{Addrs: []string{"a", "10.0.0.2"}}, func(w *watch) {
		for range 20 {
			z.set("a", "gone")
			w.after(12 * time.Second)
			z.set("a", "10.0.0.1")
			if got := w.after(12 * time.Second); got != "10.0.0.1:80 10.0.0.2:80" {
				t.Fatalf("backends %s", got)
			}
		}
	})
}

func TestAFamilyThatFailsKeepsItsAddresses(t *testing.T) {
	z := newZone(5 * time.Second)
	z.set("a", "10.0.0.1 2001:db8::1")
	in(t, z, &config.Upstream{Addrs: []string{"a"}}, func(w *watch) {
		w.after(time.Second)
		z.mu.Lock()
		z.failed["a"], z.answers["a"] = true, "10.0.0.2"
		z.mu.Unlock()
		if got := w.after(time.Hour); got != "10.0.0.2:80 [2001:db8::1]:80" {
			t.Errorf("backends %s", got)
		}
	})
}

func TestServicesHavePortWeightAndPriority(t *testing.T) {
	z := newZone(5 * time.Second)
	const name = "_http._tcp.test"
	z.set(name, "10 5 8080 a.,10 0 8081 b.,20 7 8082 c.,30 1 0 a.")
	z.set("a.", "10.0.0.1 2001:db8::1")
	z.set("b.", "10.0.0.2")
	z.set("c.", "10.0.0.3")
	const all = "10.0.0.1:8080*5 10.0.0.2:8081 [2001:db8::1]:8080*5 +10.0.0.3:8082*7"
	in(t, z, &config.Upstream{Addrs: []string{name}, Discovery: "dns"}, func(w *watch) {
		if got := w.after(time.Second); got != all {
			t.Errorf("backends %s", got)
		}
		z.set("a.", "fail")
		z.set("c.", "gone")
		if got := w.after(time.Minute); got != strings.Replace(all, " +10.0.0.3:8082*7", "", 1) {
			t.Errorf("when a target fails and another is gone: %s", got)
		}
		z.set(name, "20 7 8082 c.")
		z.set("c.", "10.0.0.3")
		if got := w.after(time.Minute); got != "10.0.0.3:8082*7" {
			t.Errorf("when the backup is the only one: %s", got)
		}
	})
	u := &config.Upstream{Addrs: []string{name + ":81 backup"}, Discovery: "static"} // not of DNS discovery: a name as others are
	z.set(name, "10.0.0.7")
	in(t, z, u, func(w *watch) {
		if got := w.after(time.Second); got != "+10.0.0.7:81" {
			t.Errorf("static: %s", got)
		}
	})
}

func TestChangesAreGatheredAndTheFirstWholeListIsNot(t *testing.T) {
	z := newZone(5 * time.Second)
	u := &config.Upstream{}
	for i := range 20 {
		u.Addrs = append(u.Addrs, fmt.Sprintf("h%d", i))
		z.set(u.Addrs[i], fmt.Sprintf("10.0.0.%d", i+1))
	}
	in(t, z, u, func(w *watch) {
		synctest.Wait()
		if up := w.last(); !up.Tried || !up.Complete || len(up.Endpoints) != 20 {
			t.Errorf("no time has passed: %d of 20", len(up.Endpoints))
		}
		n := w.count()
		for i := range 20 {
			z.set(u.Addrs[i], fmt.Sprintf("10.0.1.%d", i+1))
		}
		w.after(6 * time.Second)
		if got := w.count() - n; got == 0 || got > 4 { // jitter spreads the look-ups over half a second
			t.Errorf("20 changes made %d updates", got)
		}
	})
}

func TestAnUpstreamIsBounded(t *testing.T) {
	z := newZone(5 * time.Second)
	var many []string
	for i := range 1500 {
		many = append(many, fmt.Sprintf("10.1.%d.%d", i/250, i%250))
	}
	z.set("a", strings.Join(many, " "))
	in(t, z, &config.Upstream{Addrs: []string{"10.0.0.1", "a", "10.0.0.2"}}, func(w *watch) {
		w.after(time.Second)
		up := w.last()
		if len(up.Endpoints) != maxEndpoints || len(up.Problems) != 1 {
			t.Errorf("%d backends, %q", len(up.Endpoints), up.Problems)
		}
		for i := range 30 { // other addresses all the time
			for j := range many {
				many[j] = fmt.Sprintf("10.%d.%d.%d", i+2, j/250, j%250)
			}
			z.set("a", strings.Join(many, " "))
			w.after(6 * time.Second)
		}
		if up := w.last(); len(up.Endpoints) != maxEndpoints || len(up.Problems) != 1 {
			t.Errorf("%d backends, %q", len(up.Endpoints), up.Problems)
		}
	})
}

func TestMemoryIsBoundedByWhatLeavesFirst(t *testing.T) {
	var m memory
	now := time.Unix(1000, 0)
	list := func(net int) []found {
		var out []found
		for i := range 700 {
			out = append(out, found{Endpoint: Endpoint{Address: config.Address{Network: "tcp", Host: fmt.Sprintf("10.%d.%d.%d", net, i/250, i%250), Port: 80}}})
		}
		return out
	}
	m.answer(now, list(1), nil, time.Minute)
	m.answer(now.Add(time.Second), list(2), nil, time.Minute)
	if len(m.known) != maxEndpoints {
		t.Errorf("%d known", len(m.known))
	}
	kept := m.list()
	for _, f := range list(2) {
		if !slices.Contains(kept, f.Endpoint) {
			t.Fatalf("%s of the last answer is not known", f.Address)
		}
	}
}

func TestManyUpstreamsOfNamesEndTogether(t *testing.T) {
	z := newZone(30 * time.Second)
	for i := range 10 {
		z.set(fmt.Sprintf("h%d", i), fmt.Sprintf("10.0.0.%d", i+1))
	}
	synctest.Test(t, func(t *testing.T) {
		f := New(Options{})
		f.names = z
		var all []*watch
		for range 300 {
			u := &config.Upstream{}
			for i := range 10 {
				u.Addrs = append(u.Addrs, fmt.Sprintf("h%d", i))
			}
			all = append(all, start(t, f, u))
		}
		time.Sleep(5 * time.Minute)
		for _, w := range all {
			w.end()
			if up := w.last(); len(up.Endpoints) != 10 || w.count() > 12 {
				t.Fatalf("%d backends, %d updates", len(up.Endpoints), w.count())
			}
		}
	})
}

// Bad name servers can make one name lead to a great many addresses.
func TestAServiceOfTooManyTargetsIsBounded(t *testing.T) {
	z := newZone(time.Minute)
	var many, services []string
	for i := range 4000 {
		many = append(many, fmt.Sprintf("10.1.%d.%d", i/250, i%250))
	}
	for i := range 200 {
		target := fmt.Sprintf("t%d.", i)
		z.set(target, strings.Join(many, " "))
		services = append(services, fmt.Sprintf("0 1 %d %s", 1000+i, target))
	}
	z.set("_a._tcp.test", strings.Join(services, ","))
	in(t, z, &config.Upstream{Addrs: []string{"_a._tcp.test"}}, func(w *watch) {
		w.after(time.Second)
		if up := w.last(); len(up.Endpoints) != maxEndpoints || len(up.Problems) != 1 {
			t.Errorf("%d backends, %q", len(up.Endpoints), up.Problems)
		}
	})
}
