package endpoints

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/config"
	"pingap/ipc"
	"pingap/worker/upstream"
)

func build(t testing.TB, addrs ...string) *upstream.Upstream {
	t.Helper()
	u, err := upstream.New(&config.Upstream{Name: "web", Addrs: addrs}, upstream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

// item is what control says of an upstream.
func item(t testing.TB, u *upstream.Upstream, list ...ipc.Endpoint) ipc.StateItem {
	t.Helper()
	return named(t, ipc.Endpoints{Upstream: u.Name, Source: u.Config.Source(), List: list})
}

func named(t testing.TB, e ipc.Endpoints) ipc.StateItem {
	t.Helper()
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return ipc.StateItem{Kind: ipc.StateEndpoints, Key: e.Upstream + "@" + e.Source, Body: body}
}

func addrs(u *upstream.Upstream) string {
	var all []string
	for _, b := range u.Backends() {
		all = append(all, b.Addr)
	}
	return strings.Join(all, " ")
}

func one(address string) ipc.Endpoint { return ipc.Endpoint{Address: address, Weight: 1} }

func TestListsReachUpstreamsThatAreThereAndThoseThatCome(t *testing.T) {
	b := New(nil)
	first, second, other := build(t, "web.test"), build(t, "web.test"), build(t, "other.test")
	for _, u := range []*upstream.Upstream{first, other} {
		if err := b.Attach(u); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Change([]ipc.StateItem{item(t, first, one("10.0.0.1:80"), ipc.Endpoint{Network: "unix", Address: "/run/a.sock"}, one("[::1]:81"))}, false); err != nil {
		t.Fatal(err)
	}
	const want = "10.0.0.1:80 unix:/run/a.sock [::1]:81"
	if addrs(first) != want || addrs(other) != "" || addrs(second) != "" {
		t.Errorf("%q, %q, %q", addrs(first), addrs(other), addrs(second))
	}
	if err := b.Attach(second); err != nil || addrs(second) != want {
		t.Errorf("one that comes later has %q, %v", addrs(second), err)
	}
	b.Detach(first)
	if err := b.Change([]ipc.StateItem{item(t, first, one("10.0.0.2:80"))}, false); err != nil || addrs(first) != want || addrs(second) != "10.0.0.2:80" {
		t.Errorf("after one is gone: %q, %q, %v", addrs(first), addrs(second), err)
	}
	b.Detach(second)
	b.Detach(other)
	if len(b.users) != 0 {
		t.Errorf("%d are known", len(b.users))
	}
}

func TestWhatIsWithdrawnIsForgottenAndWhoHasItKeepsIt(t *testing.T) {
	for name, withdraw := range map[string]func(b *Book, i ipc.StateItem) error{
		"by name": func(b *Book, i ipc.StateItem) error { i.Gone = true; return b.Change([]ipc.StateItem{i}, false) },
		"by all":  func(b *Book, _ ipc.StateItem) error { return b.Change(nil, true) },
	} {
		b, has, comes := New(nil), build(t, "web.test"), build(t, "web.test")
		i := item(t, has, one("10.0.0.1:80"))
		if err := b.Attach(has); err != nil {
			t.Fatal(err)
		}
		if err := b.Change([]ipc.StateItem{i}, false); err != nil {
			t.Fatal(err)
		}
		if err := withdraw(b, i); err != nil {
			t.Fatal(err)
		}
		if err := b.Attach(comes); err != nil || addrs(has) != "10.0.0.1:80" || addrs(comes) != "" || len(b.lists) != 0 {
			t.Errorf("%s: %q and %q, %d kept, %v", name, addrs(has), addrs(comes), len(b.lists), err)
		}
	}
}

func TestListsHaveTheBoundsOfTheSupervisor(t *testing.T) {
	b, big := New(nil), strings.Repeat(" ", ipc.MaxStateBody-100)
	list := func(n int) ipc.StateItem {
		i := named(t, ipc.Endpoints{Upstream: fmt.Sprintf("u%d", n), Source: "1"})
		i.Body = append(i.Body, big...)
		return i
	}
	fit := 0
	for ; fit < 100 && b.Change([]ipc.StateItem{list(fit)}, false) == nil; fit++ {
	}
	if want := ipc.MaxStateBytes / (ipc.MaxStateBody - 100); fit != want {
		t.Errorf("%d lists fit, want %d", fit, want)
	}
	if err := b.Change([]ipc.StateItem{list(0)}, false); err != nil {
		t.Errorf("another list in the place of one: %v", err)
	}
	gone := list(1)
	gone.Gone = true
	if err := b.Change([]ipc.StateItem{gone, list(fit)}, false); err != nil {
		t.Errorf("in the place of one that has gone: %v", err)
	}
	long := list(2)
	long.Body = append(long.Body, big...)
	if err := b.Change([]ipc.StateItem{long}, true); err == nil || len(b.lists) != 1 {
		t.Errorf("too long: %v, %d lists", err, len(b.lists))
	}
	if want := len(list(2).Key) + len(list(2).Body); b.bytes != want {
		t.Errorf("%d bytes, want %d", b.bytes, want)
	}
	if err := b.Change(nil, true); err != nil || b.bytes != 0 {
		t.Errorf("%d bytes of nothing, %v", b.bytes, err)
	}
	if fd, err := b.Seal(); fd >= 0 || err != nil {
		t.Errorf("a file of nothing: %d, %v", fd, err)
	}
}

func TestAllKeepsWhatItNames(t *testing.T) {
	b, u := New(nil), build(t, "web.test")
	gone := named(t, ipc.Endpoints{Upstream: "old", Source: "x"})
	if err := b.Change([]ipc.StateItem{item(t, u, one("10.0.0.1:80")), gone}, true); err != nil {
		t.Fatal(err)
	}
	broken := item(t, u)
	broken.Body = ipc.Secret("{")
	if err := b.Change([]ipc.StateItem{broken}, true); err == nil {
		t.Error("no error")
	}
	if err := b.Attach(u); err != nil || addrs(u) != "10.0.0.1:80" || len(b.lists) != 1 {
		t.Errorf("%q, %d lists, %v", addrs(u), len(b.lists), err)
	}
}

func TestWhatMakesNoSenseChangesNothing(t *testing.T) {
	many := make([]ipc.Endpoint, ipc.MaxEndpoints+1)
	for i := range many {
		many[i] = one(fmt.Sprintf("10.0.%d.%d:80", i/256, i%256))
	}
	for name, list := range map[string][]ipc.Endpoint{
		"a name": {one("web.test:80")}, "no port": {one("10.0.0.1")}, "port 0": {one("10.0.0.1:0")}, "nothing": {{}},
		"network": {{Network: "udp", Address: "10.0.0.1:80"}}, "no path": {{Network: "unix"}},
		"long path": {{Network: "unix", Address: strings.Repeat("x", 108)}}, "health": {{Address: "10.0.0.1:80", Health: "fine"}},
		"admin": {{Address: "10.0.0.1:80", Admin: "gone"}}, "too many": many,
	} {
		b, u := New(nil), build(t, "10.9.9.9:80")
		if err := b.Attach(u); err != nil {
			t.Fatal(err)
		}
		err := b.Change([]ipc.StateItem{item(t, u, list...)}, false)
		if err == nil || !strings.Contains(err.Error(), "web@") || addrs(u) != "10.9.9.9:80" || len(b.lists) != 0 {
			t.Errorf("%s: %v, %q", name, err, addrs(u))
		}
	}
	b, u := New(nil), build(t, "10.9.9.9:80")
	i := item(t, u)
	i.Key = "other@1"
	if b.Change([]ipc.StateItem{i}, false) == nil {
		t.Error("the list of one upstream under the key of another")
	}
}

func TestHealthAndAdminAndRecordsArrive(t *testing.T) {
	a, err := arena.Create(arena.Options{Columns: 1, Rows: 8, Records: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Claim(1, 5); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(uintptr(a.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	mine, err := arena.Map(fd, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	b, u := New(mine), build(t, "web.test")
	since := time.Now().Add(-time.Minute)
	list := []ipc.Endpoint{
		{Address: "10.0.0.1:80", Weight: 3, Record: ipc.RecordRef{Row: 1, ID: 5}, Since: since},
		{Address: "10.0.0.2:80", Health: ipc.Unhealthy, Record: ipc.RecordRef{Row: 1, ID: 6}}, {Address: "10.0.0.3:80", Health: ipc.Unchecked, Record: ipc.RecordRef{Row: 99, ID: 5}},
		{Address: "10.0.0.4:80", Admin: ipc.AdminDown}, {Address: "10.0.0.5:80", Admin: ipc.AdminDrain, Backup: true},
	}
	i := item(t, u, list...)
	l, err := b.read(i.Key, i.Body)
	if err != nil {
		t.Fatal(err)
	}
	var records []bool
	for k := range l.endpoints {
		records = append(records, l.endpoints[k].Record != nil)
		l.endpoints[k].Record = nil
	}
	tcp := func(last int) config.Address {
		return config.Address{Network: "tcp", Host: fmt.Sprintf("10.0.0.%d", last), Port: 80}
	}
	want := []upstream.Endpoint{
		{Address: tcp(1), Weight: 3, Since: since.UnixNano()}, {Address: tcp(2), Health: upstream.Unhealthy}, {Address: tcp(3), Health: upstream.Unchecked},
		{Address: tcp(4), Admin: upstream.Down}, {Address: tcp(5), Admin: upstream.Drain, Backup: true},
	}
	if fmt.Sprint(l.endpoints) != fmt.Sprint(want) || fmt.Sprint(records) != "[true false false false false]" {
		t.Errorf("%v %v, want %v", l.endpoints, records, want)
	}
	if err := b.Attach(u); err != nil {
		t.Fatal(err)
	}
	if err := b.Change([]ipc.StateItem{i}, false); err != nil {
		t.Fatal(err)
	}
	u.Backends()[0].Begin()
	if n := a.Record(1, 5).Held().Load(); n != 1 {
		t.Errorf("%d held in the record", n)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"upstream":"web","source":"1","record":{"row":1,"id":2},"list":[{"address":"10.0.0.1:80","weight":1}]}`))
	f.Add([]byte(`{"upstream":"web","source":"1","list":[{"network":"unix","address":"/x","weight":-1,"since":"2026-01-01T00:00:00Z"}]}`))
	f.Add([]byte(`{"list":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b := New(nil)
		l, err := b.read("web@1", body)
		if err == nil && len(l.endpoints) > ipc.MaxEndpoints {
			t.Errorf("%d", len(l.endpoints))
		}
	})
}
