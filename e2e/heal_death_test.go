package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Backends that die under load. All of these take a backend out after its first failure, for longer than the fault goes on.
const dyingKeys = `health_check = "tcp://backend?check_frequency=1s"
eject_consecutive_failures = 1
eject_duration = "40s"
connection_timeout = "1500ms"
read_timeout = "1500ms"`

// noticeTime is how long it may take until every worker knows.
const noticeTime = 100 * time.Millisecond

// dying is a route to a pool of 4 under load, whose last backend has a fault.
type dying struct {
	t         *testing.T
	fault     fault
	f         fleet // all four
	get, post *traffic
	lost      [2]int // failures of GET and POST that were looked at
}

// startDying begins with load on an instance with a pool for each kind of fault.
func startDying(t *testing.T, upstream, location string) []*dying {
	t.Helper()
	x, well, addr := newToxiproxy(t), newFleet(t, 3), freePort(t)
	var all []*dying
	var routes []route
	for n := range toxicFaults(link{}) {
		victim := newFleet(t, 1)[0]
		l := x.link(victim.addr)
		d := &dying{t: t, fault: toxicFaults(l)[n], f: append(well[:3:3], victim)}
		all = append(all, d)
		routes = append(routes, route{name: fmt.Sprintf("fault%d", n), addrs: well.addrs() + "," + l.addr, upstream: dyingKeys + "\n" + upstream, location: location})
	}
	start(t, routesConf(addr, routes...))
	for n, d := range all {
		d.get = runLoad(t, addr, getsOf(routes[n].name, 3, 10*time.Millisecond)...)
		d.post = runLoad(t, addr, mix{clients: 2, pause: 10 * time.Millisecond, request: numbered("POST", "/"+routes[n].name)})
	}
	for _, d := range all {
		d.goesOn()
	}
	return all
}

func (d *dying) goesOn() {
	d.t.Helper()
	d.get.progress(d.t, 50)
	d.post.progress(d.t, 20)
}

// happen lets all faults begin, waits until every load goes on, lets them end, and, if more is to come, waits until the backends are used again.
func happen(all []*dying, more bool) {
	for _, d := range all {
		d.fault.begin()
	}
	for _, d := range all {
		d.goesOn()
	}
	time.Sleep(3 * deadTime / 2) // for those that wait for an answer
	for _, d := range all {
		d.goesOn()
		d.fault.end()
	}
	for _, d := range all {
		if more {
			d.f[3:].all(d.t, 10)
		}
	}
}

// losses are the GET and POST that were lost since it was asked.
func (d *dying) losses() (get, post []failure) {
	get, post = d.get.failuresSoFar()[d.lost[0]:], d.post.failuresSoFar()[d.lost[1]:]
	d.lost[0], d.lost[1] = d.lost[0]+len(get), d.lost[1]+len(post)
	d.t.Logf("%s: %d GET and %d POST lost", d.fault.name, len(get), len(post))
	return get, post
}

// atMostInFlight fails when more was lost than was in flight when the first request failed: one of each client.
func (d *dying) atMostInFlight(lost []failure) {
	d.t.Helper()
	name := d.fault.name
	if len(lost) == 0 {
		return
	}
	first := slices.MinFunc(lost, func(a, b failure) int { return a.ended.Compare(b.ended) }).ended
	seen := map[int]bool{}
	for _, f := range lost {
		switch {
		case f.refused:
			d.t.Errorf("%s: pingap refused a connection: %v", name, f.err)
		case f.began.After(first.Add(noticeTime)):
			d.t.Errorf("%s: client %d began %v after the first failure, and failed: %v", name, f.client, f.began.Sub(first), brief(f.err))
		case seen[f.client]:
			d.t.Errorf("%s: client %d lost more than one: %v", name, f.client, brief(f.err))
		}
		seen[f.client] = true
	}
}

// Load: GET and POST, to a pool for each fault. Fault: one backend of 4 is cut off, resets, hangs, is too slow, or cuts answers. Without retries. Expected: of
// each client at most the request that was in flight on it when it was noticed; POST arrive once.
func TestFaultABackendOfFourDiesWithoutRetries(t *testing.T) {
	count := faultTest(t, 1, 3)
	all := startDying(t, "", "max_retries = 0")
	for n := range count {
		happen(all, n < count-1)
		for _, d := range all {
			get, post := d.losses()
			d.atMostInFlight(get)
			d.atMostInFlight(post)
			if d.fault.harmless && len(get)+len(post) > 0 {
				t.Errorf("%s: %d requests were lost: %s", d.fault.name, len(get)+len(post), brief(slices.Concat(get, post)[0].err))
			}
		}
	}
	for _, d := range all {
		d.f.mustArriveOnce(t, "POST")
	}
}

// The same with retries. Expected: no GET fails but one whose answer had begun; POST are lost as above and arrive once.
func TestFaultABackendOfFourDiesWithRetries(t *testing.T) {
	count := faultTest(t, 1, 3)
	all := startDying(t, "", "max_retries = 3")
	for n := range count {
		happen(all, n < count-1)
		for _, d := range all {
			get, post := d.losses()
			if len(get) > 0 && !d.fault.cuts {
				t.Errorf("%s: %d GET were lost, the first: %v", d.fault.name, len(get), brief(get[0].err))
			}
			d.atMostInFlight(get)
			d.atMostInFlight(post)
		}
	}
	for _, d := range all {
		d.f.mustArriveOnce(t, "POST")
	}
}

// The same with retries of all requests. Expected: no POST fails either; it may arrive twice.
func TestFaultABackendOfFourDiesWithRetriesOfAll(t *testing.T) {
	count := faultTest(t, 1, 3)
	all := startDying(t, "retry_non_idempotent = true", "max_retries = 3")
	for n := range count {
		happen(all, n < count-1)
		for _, d := range all {
			get, post := d.losses()
			if lost := slices.Concat(get, post); len(lost) > 0 && !d.fault.cuts {
				t.Errorf("%s: %d requests were lost, the first: %v", d.fault.name, len(lost), brief(lost[0].err))
			}
		}
	}
}

// brief is an error without most of the page that came.
func brief(err error) string {
	text := strings.TrimSuffix(err.Error(), "</footer></body></html>\n")
	if status, page, ok := strings.Cut(text, ":"); ok && len(page) > 60 {
		return status + " … " + page[len(page)-30:]
	}
	return text
}

// Load: GET of 20 ms each, on 4 backends. Fault: the process of one is killed with -9. Expected: without retries at most those
// that it had in flight, with retries none.
func TestFaultABackendProcessOfFourIsKilled(t *testing.T) {
	count := faultTest(t, 2, 50)
	for _, c := range []struct {
		name, location string
		retries        bool
	}{{"without retries", "max_retries = 0", false}, {"with retries", "max_retries = 3", true}} {
		t.Run(c.name, func(t *testing.T) {
			if soakMinutes(t) == 0 {
				t.Parallel()
			}
			killProcesses(t, count, c.location, c.retries)
		})
	}
}

func killProcesses(t *testing.T, count int, location string, retries bool) {
	f, victim := newFleet(t, 3), newProcessBackend(t)
	for _, m := range f {
		m.has(trouble{delay: 20 * time.Millisecond})
	}
	addr := freePort(t)
	const clients = 16
	i := start(t, insert(insert(proxyConf(addr, f.addrs()+","+victim.addr), "upstreams.app", strings.Replace(dyingKeys, "40s", "3s", 1)), "locations.all", location))
	l := runLoad(t, addr, mix{clients: clients, request: numbered("GET", "/slow")})
	l.progress(t, 100)
	lost := 0
	for n := range count {
		before := victim.book.total.Load()
		if err := within(patience, func() error { return atLeast(victim.book.total.Load(), before+20) }); err != nil {
			t.Fatal(err)
		}
		victim.kill()
		held := int(victim.book.now.Load())
		l.progress(t, 100)
		now := len(l.failuresSoFar())
		t.Logf("kill %d: the process held %d requests, %d were lost", n, held, now-lost)
		// One that was on its way to it when it died was in flight too: at most one for each that it could have got since.
		if now-lost > held+2 && !retries || now > lost && retries {
			t.Errorf("kill %d: the process held %d requests, %d were lost: %s", n, held, now-lost, l.report())
		}
		lost = now
		victim.start()
	}
	l.progress(t, 100)
	l.stop()
	if i.hasEnded() {
		t.Error("pingap has ended")
	}
	t.Log(l.report())
}
