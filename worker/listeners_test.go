package worker

import (
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/config"
	"pingap/ipc"
)

// twoServers is config1 with a second server on another address, which answers "second" by a plugin of its own.
func twoServers(up, addr string) string {
	return config1(up) + `
[plugins.second]
category = "answer"
text = "second"
[locations.second]
path = "/a"
plugins = ["second"]
[servers.second]
addr = "` + addr + `"
locations = ["second", "up"]
`
}

// open is a listening socket of the supervisor.
func (b *boss) open() *net.TCPListener {
	b.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// prepareWith is prepare with the listeners that there are to be, by server. Each comes with its socket, needed or not.
func (b *boss) prepareWith(cfg *config.Config, fronts map[string]*net.TCPListener) (txn uint32, sha string) {
	b.t.Helper()
	fd, sha := b.snapshot(cfg)
	defer unix.Close(fd)
	var fds ipc.FDs
	p := ipc.Prepare{Version: 2, Base: b.sha, SHA: sha, Snapshot: fds.Add(fd), Listeners: []ipc.Listener{}}
	for server, l := range fronts {
		addr := l.Addr().String()
		socket := socketFile(b.t, l)
		defer socket.Close()
		p.Listeners = append(p.Listeners, ipc.Listener{ID: "l-" + addr, Network: "tcp", Address: addr, Server: server, FD: fds.Add(int(socket.Fd()))})
	}
	return b.send(p, fds...), sha
}

func (b *boss) applyWith(cfg *config.Config, fronts map[string]*net.TCPListener) {
	b.t.Helper()
	txn, sha := b.prepareWith(cfg, fronts)
	receive[*ipc.Prepared](b)
	b.commit(txn, sha)
}

func TestAnAddedListenerIsServedFromCommitOn(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), nil)
	more := b.open()
	addr := more.Addr().String()
	early := b.dialTo(addr) // waits in the queue
	early.send("/a")
	fronts := map[string]*net.TCPListener{"s": b.front, "second": more}
	txn, sha := b.prepareWith(b.load(twoServers("127.0.0.1:1", addr)), fronts)
	receive[*ipc.Prepared](b)
	b.send(ipc.StatusRequest{})
	if s := receive[*ipc.Status](b); s.Accepted != 0 {
		t.Errorf("prepared, not committed: %d accepted", s.Accepted)
	}
	b.commit(txn, sha)
	if status, body, last := early.answer(); status != 200 || body != "second" || last {
		t.Errorf("on the new listener: %d %s, last %t", status, body, last)
	}
	if got := b.dial().get("/a"); got != "200 one" {
		t.Errorf("on the old listener: %s", got)
	}
}

func TestAbortGivesNewSocketsBack(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), nil)
	b.dial().get("/a")
	more := b.open()
	addr := more.Addr().String()
	fronts := map[string]*net.TCPListener{"s": b.front, "second": more}
	txn, _ := b.prepareWith(b.load(twoServers("127.0.0.1:1", addr)), fronts)
	receive[*ipc.Prepared](b)
	if err := b.conn.Send(t.Context(), txn, ipc.Abort{}); err != nil {
		t.Fatal(err)
	}
	receive[*ipc.Aborted](b)
	more.Close()
	if c, err := net.Dial("tcp", addr); err == nil { // nobody has the socket any more
		c.Close()
		t.Error("the worker kept a socket of an aborted change")
	}
	if got := b.dial().get("/a"); got != "200 one" {
		t.Errorf("afterwards: %s", got)
	}
}

func TestPrepareWithoutItsSocketIsRefused(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), nil)
	cfg := b.load(twoServers("127.0.0.1:1", "127.0.0.1:2"))
	fd, sha := b.snapshot(cfg)
	defer unix.Close(fd)
	var fds ipc.FDs
	b.send(ipc.Prepare{Version: 2, Base: b.sha, SHA: sha, Snapshot: fds.Add(fd), Listeners: []ipc.Listener{
		{ID: "l-" + b.addr, Address: b.addr, Server: "s"}, {ID: "x", Address: "127.0.0.1:2", Server: "second"}}}, fds...)
	if nack := receive[*ipc.Nack](b); nack.Code != ipc.CodeInvalid || nack.Path != "127.0.0.1:2" {
		t.Errorf("refused with %+v", nack)
	}
	b.apply(b.load(config2("127.0.0.1:1"))) // without listeners: they stay
	if got := b.dial().get("/a"); got != "200 two" {
		t.Errorf("the next one: %s", got)
	}
}

// What a dropped listener has accepted, or had waiting, is served to its end, from the site that still knew it.
func TestConnectionsOfADroppedListenerEndSoftly(t *testing.T) {
	up := newBackend(t)
	second := twoServers(up.addr, "127.0.0.1:2")
	b := hire(t, config1(up.addr), nil)
	more := b.open()
	b.applyWith(b.load(second), map[string]*net.TCPListener{"s": b.front, "second": more})
	addr := more.Addr().String()
	slow, idle, used := b.dialTo(addr), b.dialTo(addr), b.dialTo(addr)
	if idle.get("/a") != "200 second" || used.get("/a") != "200 second" {
		t.Fatal("the listener does not serve")
	}
	slow.send("/slow")
	<-up.arrived
	stay := b.dial()
	stay.get("/a")
	only := "[basic]\ndrain_idle_grace = \"1s\"\ndrain_spread = \"10ms\"\n" + config1(up.addr)
	b.applyWith(b.load(only), map[string]*net.TCPListener{"s": b.front})
	used.send("/a")
	if status, body, last := used.answer(); status != 200 || body != "second" || !last {
		t.Errorf("a request within the grace: %d %s, last %t", status, body, last)
	}
	used.ends()
	idle.ends()
	up.letGo <- struct{}{}
	if status, body, last := slow.answer(); status != 200 || body != "from backend" || !last {
		t.Errorf("the request under way: %d %s, last %t", status, body, last)
	}
	if got := stay.get("/a"); got != "200 one" {
		t.Errorf("a connection of the other listener: %s", got)
	}
	more.Close()
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("the worker kept the socket")
	}
	// The same name comes back, on another address.
	again := b.open()
	b.applyWith(b.load(second), map[string]*net.TCPListener{"s": b.front, "second": again})
	if got := b.dialTo(again.Addr().String()).get("/a"); got != "200 second" {
		t.Errorf("a server that is back: %s", got)
	}
}

// Connections that the kernel has established are accepted although their listener goes away.
func TestTheQueueOfADroppedListenerIsServed(t *testing.T) {
	limit := "[basic]\nmax_connections = 2\n"
	b := hire(t, limit+config1("127.0.0.1:1"), nil)
	more := b.open()
	b.applyWith(b.load(limit+twoServers("127.0.0.1:1", "127.0.0.1:2")), map[string]*net.TCPListener{"s": b.front, "second": more})
	first, other := b.dialTo(more.Addr().String()), b.dialTo(more.Addr().String())
	first.get("/a")
	other.get("/a")
	var waiting []*client
	for range 5 { // there is no room for these
		c := b.dialTo(more.Addr().String())
		c.send("/a")
		waiting = append(waiting, c)
	}
	b.applyWith(b.load(limit+config1("127.0.0.1:1")), map[string]*net.TCPListener{"s": b.front})
	first.Close()
	for i, c := range waiting {
		if status, body, last := c.answer(); status != 200 || body != "second" || !last {
			t.Errorf("connection %d: %d %s, last %t", i, status, body, last)
		}
	}
}

// A listener that stays, but for another server, leads there; its older connections end softly with the server they had.
func TestAListenerMayLeadToAnotherServer(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), nil)
	before := b.dial()
	before.get("/a")
	b.applyWith(b.load(strings.ReplaceAll(config2("127.0.0.1:1"), "[servers.s]", "[servers.t]")), map[string]*net.TCPListener{"t": b.front})
	if got := b.dial().get("/a"); got != "200 two" {
		t.Errorf("a new connection: %s", got)
	}
	before.send("/a")
	if status, body, last := before.answer(); status != 200 || body != "one" || !last {
		t.Errorf("an older connection: %d %s, last %t", status, body, last)
	}
}

// Servers that go keep what they were built from open only as long as they have connections.
func TestManyListenerChangesLeaveNothing(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), nil)
	round := func() {
		more := b.open()
		b.applyWith(b.load(twoServers("127.0.0.1:1", "127.0.0.1:2")), map[string]*net.TCPListener{"s": b.front, "second": more})
		c := b.dialTo(more.Addr().String())
		c.get("/a")
		c.Close()
		b.applyWith(b.load(config1("127.0.0.1:1")), map[string]*net.TCPListener{"s": b.front})
		more.Close()
	}
	round()
	before := openDescriptors(t)
	for range 20 {
		round()
	}
	for end := time.Now().Add(patience); openDescriptors(t) > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d descriptors, before %d", openDescriptors(t), before)
		}
	}
}

// A worker at its limit of descriptors refuses a change that brings some, and goes on.
func TestPrepareWithoutRoomForSocketsIsRefused(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), nil)
	c := b.dial()
	c.get("/a")
	more := b.open()
	cfg := b.load(twoServers("127.0.0.1:1", "127.0.0.1:2"))
	sockets := map[string]*net.TCPListener{"s": b.front, "second": more}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	fd, sha := b.snapshot(cfg)
	defer unix.Close(fd)
	socket := socketFile(t, more)
	defer socket.Close()
	var fds ipc.FDs
	p := ipc.Prepare{Version: 2, Base: b.sha, SHA: sha, Snapshot: fds.Add(fd)}
	p.Listeners = []ipc.Listener{{ID: "x", Address: "127.0.0.1:2", Server: "second", FD: fds.Add(int(socket.Fd()))}}
	low := limit
	low.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	b.send(p, fds...)
	nack := receive[*ipc.Nack](b)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if nack.Code != ipc.CodeResources {
		t.Errorf("refused with %+v", nack)
	}
	if got := c.get("/a"); got != "200 one" {
		t.Errorf("afterwards: %s", got)
	}
	b.applyWith(cfg, sockets)
}
