package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"pingap/e2e/backends"
)

// newFleetAt starts backends with one port at addresses 127.0.0.1, 127.0.0.2 and so on.
func newFleetAt(t *testing.T, n int) (f fleet, port string) {
	t.Helper()
	f = newFleet(t, 1)
	_, port, err := net.SplitHostPort(f[0].addr)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < n; i++ {
		m := &member{t: t, name: fmt.Sprintf("b%d", i), addr: fmt.Sprintf("127.0.0.%d:%s", i+1, port), ids: map[string]int{}, released: make(chan struct{})}
		m.back()
		t.Cleanup(m.die)
		f = append(f, m)
	}
	return f, port
}

// live is the version and the workers of an instance, which changes of backends leave alone.
func (i *instance) live() string {
	i.t.Helper()
	st := i.status()
	return fmt.Sprintf("version %d of %s in workers %v", st.Config.Version, st.Config.SHA, st.pids())
}

// leave waits until some backends get nothing more while others do.
func (f fleet) leave(t *testing.T, others fleet) {
	t.Helper()
	err := within(2*patience, func() error {
		before := f.totals()
		others.all(t, 20)
		for i, now := range f.totals() {
			if now > before[i] {
				return fmt.Errorf("%s still gets requests", f[i].name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// named is a route to a name that the test's own server knows.
type named struct {
	route
	host string
	f    fleet
	then func(z *backends.DNS) // what becomes of the answers
	old  fleet                 // get nothing any more after that
	now  fleet                 // get all
}

// namesOf are a route for each thing that may become of a name.
func namesOf(t *testing.T) []named {
	all := []named{
		{route: route{name: "changes"}, host: "changes.test", then: func(z *backends.DNS) { z.Set("changes.test", "1 A 127.0.0.2", "1 A 127.0.0.3") }},
		{route: route{name: "servfail"}, host: "servfail.test", then: func(z *backends.DNS) { z.Fail("servfail.test", backends.ServFail) }},
		{route: route{name: "silent"}, host: "silent.test", then: func(z *backends.DNS) { z.Fail("silent.test", backends.Silent) }},
		{route: route{name: "nxdomain"}, host: "nxdomain.test", then: func(z *backends.DNS) { z.Remove("nxdomain.test") }},
		{route: route{name: "empty"}, host: "empty.test", then: func(z *backends.DNS) { z.Set("empty.test") }},
	}
	for n := range all {
		var port string
		all[n].f, port = newFleetAt(t, 3)
		all[n].addrs, all[n].now = all[n].host+":"+port, all[n].f[:1]
	}
	all[0].old, all[0].now = all[0].f[:1], all[0].f[1:]
	srv := named{route: route{name: "srv", addrs: "_http._tcp.srv.test"}, host: "_http._tcp.srv.test", f: newFleet(t, 4)}
	srv.then = func(z *backends.DNS) {
		z.Set(srv.host, srvRecord(t, 1, 1, srv.f[1]), srvRecord(t, 1, 1, srv.f[2]), srvRecord(t, 5, 1, srv.f[3]))
	}
	srv.old, srv.now = srv.f[:1], srv.f[1:3]
	return append(all, srv)
}

func srvRecord(t *testing.T, priority, weight int, m *member) string {
	_, port, err := net.SplitHostPort(m.addr)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("1 SRV %d %d %s node.test.", priority, weight, port)
}

// Load: GET in both workers. Fault: the answers to the look-ups of backends change; the server fails or is silent; a name is gone, or has no address any more.
// Expected: 0 failed; requests go where the name says, with the ports and weights of SRV records and nothing for those of a higher priority, and where it said
// last when it says nothing; no version, no new worker.
func TestFaultAnswersOfDNSChange(t *testing.T) {
	count := faultTest(t, 1, 5)
	z := backends.StartDNS(t)
	z.Set("node.test", "300 A 127.0.0.1")
	names := namesOf(t)
	srv := names[len(names)-1]
	first := func() {
		for _, n := range names {
			z.Fail(n.host, backends.Healthy)
			z.Set(n.host, "1 A 127.0.0.1")
		}
		z.Set(srv.host, srvRecord(t, 1, 3, srv.f[0]), srvRecord(t, 1, 1, srv.f[1]), srvRecord(t, 5, 1, srv.f[3]))
	}
	first()
	addr := freePort(t)
	var routes []route
	for _, n := range names {
		n.upstream = fmt.Sprintf("discovery = \"dns\"\ndns_server = \"%s\"\nupdate_frequency = \"5s\"", z.Addr)
		routes = append(routes, n.route)
	}
	i := start(t, routesConf(addr, routes...))
	if by := asked(t, addr, "/srv", 40); by["b0"] != 30 || by["b1"] != 10 {
		t.Errorf("weights 3 and 1, and a backup: %v", by)
	}
	before := i.live()
	var loads []*traffic
	for _, n := range names {
		loads = append(loads, runLoad(t, addr, getsOf(n.name, 1, 10*time.Millisecond)...))
	}
	for range count {
		changeNames(t, z, names)
		first()
		for _, n := range names {
			n.f[:1].all(t, 20)
		}
	}
	for _, l := range loads {
		l.mustBeClean(t)
	}
	if n := srv.f[3].total.Load(); n > 0 {
		t.Errorf("the backup has had %d requests", n)
	}
	if now := i.live(); now != before {
		t.Errorf("%s, was %s", now, before)
	}
}

// changeNames lets all names change and waits until that is seen; of those that fail, until they were asked for twice more.
func changeNames(t *testing.T, z *backends.DNS, names []named) {
	t.Helper()
	queries := map[string]int{}
	began := time.Now()
	for _, n := range names {
		n.f[:1].all(t, 20)
		n.then(z)
		queries[n.host] = z.Queries(n.host, "A")
	}
	for _, n := range names {
		if len(n.old) > 0 {
			n.now.all(t, 10)
			t.Logf("%s: new addresses are used after %v", n.name, time.Since(began).Round(time.Millisecond))
			n.old.leave(t, n.now)
			t.Logf("%s: the old one is left after %v", n.name, time.Since(began).Round(time.Millisecond))
			continue
		}
		if err := within(patience, func() error { return atLeast(int64(z.Queries(n.host, "A")-queries[n.host]), 2) }); err != nil {
			t.Fatalf("look-ups of %s: %v", n.host, err)
		}
		n.now.all(t, 20)
	}
}

// container is one whose only port is that of a backend.
func container(t *testing.T, id string, m *member, app string) backends.Container {
	t.Helper()
	host, text, err := net.SplitHostPort(m.addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return backends.Container{ID: id, Names: []string{"/" + id}, Labels: map[string]string{"app": app}, Ports: []backends.Port{{PrivatePort: port, Type: "tcp"}},
		NetworkSettings: backends.Settings{Networks: map[string]backends.Network{"bridge": {IPAddress: host}}}}
}

// startDocker starts an engine, and an instance that asks it for the containers of the shop; n of them are those of the first backends.
func startDocker(t *testing.T, f fleet, n int) (*instance, *backends.Engine, string) {
	t.Helper()
	dir, addr := workDir(t), freePort(t)
	socket := filepath.Join(workDir(t), "docker.sock")
	e := backends.StartEngine(t, socket)
	if err := os.Chmod(socket, 0o666); err != nil { // control is not root
		t.Fatal(err)
	}
	for k, m := range f[:n] {
		e.Run(container(t, fmt.Sprintf("stays-%d", k), m, "shop"))
	}
	path := filepath.Join(dir, "pingap.toml")
	write(t, path, insert(proxyConf(addr, "app=shop"), "upstreams.app", "discovery = \"docker\"\nupdate_frequency = \"5m\""))
	i := launchAs(t, dir, func(cmd *exec.Cmd) { cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+socket) }, "-c", path, "--workers", "2")
	i.conf = path
	i.waitRunning()
	return i, e, addr
}

// Load: GET in both workers. Fault: containers come and go; the engine is restarted, and says nothing for a while. Expected: 0 failed; a container that
// has come is used, one that goes is left; no version.
func TestFaultContainersComeAndGo(t *testing.T) {
	count := faultTest(t, 1, 20)
	f := newFleet(t, 3)
	i, e, addr := startDocker(t, f, 1)
	e.Run(container(t, "other", f[2], "other"))
	l := runLoad(t, addr, gets(2)...)
	f[:1].all(t, 20)
	before := i.live()
	for n := range count {
		two := fmt.Sprintf("two-%d", n)
		began := time.Now()
		e.Run(container(t, two, f[1], "shop"))
		f[1:2].all(t, 5)
		t.Logf("a container that has come is used after %v", time.Since(began).Round(time.Millisecond))
		e.Down()
		f[:2].all(t, 50)
		if err := e.Up(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(e.Socket, 0o666); err != nil {
			t.Fatal(err)
		}
		i.eventually("somebody who listens to the engine", func() error {
			if e.Watchers() == 0 {
				return errors.New("nobody does")
			}
			return nil
		})
		began = time.Now()
		e.Lose(two) // as a container that leaves no trace
		e.Tell("container", "destroy", two)
		f[1:2].leave(t, f[:1])
		t.Logf("one that has gone is left after %v", time.Since(began).Round(time.Millisecond))
		e.Replace(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil)
		e.Tell("container", "die", "stays-0")
		f[:1].all(t, 50)
		e.Replace(nil, nil)
	}
	if n := f[2].total.Load(); n > 0 {
		t.Errorf("a container without the label has had %d requests", n)
	}
	l.mustBeClean(t)
	if now := i.live(); now != before {
		t.Errorf("%s, was %s", now, before)
	}
}

// Load: GET in both workers. Fault: 100 containers a second come or go. Expected: 0 failed, no version, and no process grows.
func TestFaultManyContainersChange(t *testing.T) {
	seconds := faultTest(t, 5, 300)
	const stay, change = 4, 50
	f := newFleet(t, stay+change)
	i, e, addr := startDocker(t, f, stay)
	l := runLoad(t, addr, gets(2)...)
	f[:stay].all(t, 20)
	before, prints := i.live(), i.footprints()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	running := map[int]string{}
	for n := range seconds * 100 {
		<-tick.C // the pace of the fault
		slot := stay + n%change
		if id, ok := running[slot]; ok {
			e.Stop(id)
			e.Lose(id)
			delete(running, slot)
			continue
		}
		running[slot] = fmt.Sprintf("comes-%d", n)
		e.Run(container(t, running[slot], f[slot], "shop"))
	}
	f[:stay].all(t, 20)
	l.mustBeClean(t)
	used := 0
	for _, n := range f[stay:].totals() {
		if n > 0 {
			used++
		}
	}
	t.Logf("%d changes in %d s; %d of the %d backends that come and go have had requests", seconds*100, seconds, used, change)
	if used < change/2 {
		t.Errorf("only %d of the backends that come and go have had requests", used)
	}
	if now := i.live(); now != before {
		t.Errorf("%s, was %s", now, before)
	}
	i.mustStayFlat(prints)
}
