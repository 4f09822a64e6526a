package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Backends that die under load. All of these take a backend out after its first failure, for longer than the fault goes on.
const dyingKeys = `health_check = "tcp://backend?check_frequency=1s"
eject_consecutive_failures = 1
eject_duration = "2s"
connection_timeout = "500ms"
read_timeout = "500ms"`

const (
	noticeTime = 100 * time.Millisecond // in which every worker knows
	deathLoad  = 6                      // clients of each kind
)

// dying is a pool of 4 under load. Something is in front of the last one.
type dying struct {
	t     *testing.T
	i     *instance
	f     fleet // all four
	get   *traffic
	post  *traffic
	lost  int // failures of GET that were looked at
	lostP int // of POST
}

// startDying begins with load on an instance whose last backend is reached at via.
func startDying(t *testing.T, f fleet, via, upstream, location string) *dying {
	t.Helper()
	addr := freePort(t)
	conf := healConf(addr, f, dyingKeys+"\n"+upstream, location)
	conf = strings.Replace(conf, f[len(f)-1].addr, via, 1)
	d := &dying{t: t, f: f, i: start(t, conf)}
	d.get = runLoad(t, addr, gets(deathLoad)...)
	d.post = runLoad(t, addr, mix{clients: 2, pause: 2 * time.Millisecond, request: numbered("POST", "/post")})
	d.goesOn()
	return d
}

func (d *dying) goesOn() {
	d.t.Helper()
	d.get.progress(d.t, 100)
	d.post.progress(d.t, 20)
}

// happens lets a fault begin, waits until the load goes on without failures, lets it end, and waits for the backend to be used again. It
// returns the requests lost.
func (d *dying) happens(f fault) (get, post []failure) {
	d.t.Helper()
	victim := d.f[len(d.f)-1]
	f.begin()
	d.goesOn()
	time.Sleep(2 * deadTime) // for those that wait for an answer
	d.goesOn()
	f.end()
	fleet{victim}.all(d.t, 20)
	get, post = d.get.failuresSoFar()[d.lost:], d.post.failuresSoFar()[d.lostP:]
	d.lost, d.lostP = d.lost+len(get), d.lostP+len(post)
	d.t.Logf("%s: %d GET and %d POST lost", f.name, len(get), len(post))
	return get, post
}

// atMostInFlight fails when more was lost than was in flight when the first request failed: one of each client.
func (d *dying) atMostInFlight(name string, lost []failure) {
	d.t.Helper()
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
			d.t.Errorf("%s: client %d began %v after the first failure, and failed: %v", name, f.client, f.began.Sub(first), f.err)
		case seen[f.client]:
			d.t.Errorf("%s: client %d lost more than one: %v", name, f.client, f.err)
		}
		seen[f.client] = true
	}
}

// Load: GET and POST. Fault: one backend of 4 is cut off, resets, hangs, is too slow, or cuts answers. Without retries. Expected: of each
// client at most the request that was in flight on it when it was noticed; POST arrive once.
func TestFaultABackendOfFourDiesWithoutRetries(t *testing.T) {
	count := faultTest(t, 1, 10)
	f := newFleet(t, 4)
	l := newToxiproxy(t).link(f[3].addr)
	d := startDying(t, f, l.addr, "", "max_retries = 0")
	for range count {
		for _, fault := range l.faults() {
			get, post := d.happens(fault)
			d.atMostInFlight(fault.name, get)
			d.atMostInFlight(fault.name, post)
			if fault.harmless && len(get)+len(post) > 0 {
				t.Errorf("%s: %d requests were lost: %s", fault.name, len(get)+len(post), d.get.report())
			}
		}
	}
	f.mustArriveOnce(t, "POST")
}

// The same with retries. Expected: no GET fails but one whose answer had begun; POST are lost as above and arrive once.
func TestFaultABackendOfFourDiesWithRetries(t *testing.T) {
	count := faultTest(t, 1, 10)
	f := newFleet(t, 4)
	l := newToxiproxy(t).link(f[3].addr)
	d := startDying(t, f, l.addr, "", "max_retries = 3")
	for range count {
		for _, fault := range l.faults() {
			get, post := d.happens(fault)
			if len(get) > 0 && !fault.cuts {
				t.Errorf("%s: %d GET were lost, the first: %v", fault.name, len(get), get[0].err)
			}
			d.atMostInFlight(fault.name, get)
			d.atMostInFlight(fault.name, post)
		}
	}
	f.mustArriveOnce(t, "POST")
}

// The same with retries of all requests. Expected: no POST fails either; it may arrive twice.
func TestFaultABackendOfFourDiesWithRetriesOfAll(t *testing.T) {
	count := faultTest(t, 1, 10)
	f := newFleet(t, 4)
	l := newToxiproxy(t).link(f[3].addr)
	d := startDying(t, f, l.addr, "retry_non_idempotent = true", "max_retries = 3")
	for range count {
		for _, fault := range l.faults() {
			get, post := d.happens(fault)
			if lost := slices.Concat(get, post); len(lost) > 0 && !fault.cuts {
				t.Errorf("%s: %d requests were lost, the first: %v", fault.name, len(lost), lost[0].err)
			}
		}
	}
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
	i := start(t, insert(insert(proxyConf(addr, f.addrs()+","+victim.addr), "upstreams.app", dyingKeys), "locations.all", location))
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
