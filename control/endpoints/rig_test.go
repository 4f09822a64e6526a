package endpoints

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"pingap/arena"
	"pingap/config"
	"pingap/control/discovery"
	"pingap/control/health"
	"pingap/ipc"
)

// patience bounds waits for what must happen.
const patience = 20 * time.Second

// rig is a directory with tests in place of discovery, checks and supervisor.
type rig struct {
	*testing.T
	d     *Directory
	arena *arena.Arena
	logs  *observer.ObservedLogs

	mu      sync.Mutex // guards what follows
	now     time.Time
	reports map[string]func(discovery.Update) // by upstream, of the newest search
	searchs map[string]int                    // begun, by upstream
	manual  bool                              // the test reports what is found; else what addrs say
	targets map[string][]health.Target
	silent  bool                     // checks have no result
	down    map[string]bool          // by address: checks fail
	checked map[string]bool          // keys with a result
	items   map[string]ipc.StateItem // that the supervisor has
	tells   int
	busy    error         // of Publish
	stop    chan struct{} // Publish waits for it, unless nil
	log     []string      // items in the order in which they were told
	people  []string      // what people were told
	grown   int
	noGrow  error
}

func newRig(t *testing.T) *rig {
	core, logs := observer.New(zap.DebugLevel)
	a, err := arena.Create(arena.Options{Columns: 2, Rows: 64})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	r := &rig{T: t, logs: logs, arena: a, now: time.Unix(1_000_000, 0), reports: map[string]func(discovery.Update){}, searchs: map[string]int{},
		targets: map[string][]health.Target{}, down: map[string]bool{}, checked: map[string]bool{}, items: map[string]ipc.StateItem{}}
	r.restart(zap.New(core))
	return r
}

// restart is a crash of control: a directory that knows nothing takes over what the supervisor has.
func (r *rig) restart(log *zap.Logger) {
	if log == nil {
		log = zap.NewNop()
	}
	r.mu.Lock()
	r.targets, r.checked = map[string][]health.Target{}, map[string]bool{}
	r.mu.Unlock()
	d := New(Options{Finder: r, Checker: r, Publisher: r, Arena: r.arena, Log: log, Now: r.clock, Turned: r.turned, UpDown: r.upDown, Problem: r.problem})
	r.d = d
	r.d.Resume(slices.Collect(maps.Values(r.items)))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	r.Cleanup(func() { cancel(); <-done })
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	r.now = r.now.Add(d)
	r.mu.Unlock()
	r.d.sweep()
}

// Run is discovery.
func (r *rig) Run(ctx context.Context, u *config.Upstream, report func(discovery.Update)) {
	r.mu.Lock()
	r.searchs[u.Name]++
	r.reports[u.Name] = report
	manual := r.manual
	r.mu.Unlock()
	if manual {
		<-ctx.Done()
		return
	}
	report(updateOf(u))
}

// updateOf is what a search finds where addrs are addresses.
func updateOf(u *config.Upstream) discovery.Update {
	up := discovery.Update{Tried: true, Complete: true}
	for _, b := range u.Backends() {
		up.Endpoints = append(up.Endpoints, discovery.Endpoint{Address: b.Address, Weight: b.Weight, Backup: b.Backup, From: b.Address.String()})
	}
	return up
}

// find reports that a search has found these, separated by blanks.
func (r *rig) find(upstream, list string) {
	r.Helper()
	u := &config.Upstream{Addrs: strings.Fields(list)}
	r.report(upstream, updateOf(u))
}

func (r *rig) report(upstream string, u discovery.Update) {
	r.Helper()
	r.until("a search for "+upstream, func() bool { return r.reports[upstream] != nil })
	r.mu.Lock()
	report := r.reports[upstream]
	r.mu.Unlock()
	report(u)
}

// Again is the checker's, for which nothing here ever fails for want of time.
func (r *rig) Again(string) {}

// Set is the checker: each target has a result at once, unless it is silent.
func (r *rig) Set(upstream string, targets []health.Target) {
	r.mu.Lock()
	r.targets[upstream] = targets
	var results []health.Result
	for _, t := range targets {
		key := upstream + " " + t.Key
		if r.silent || r.checked[key] || t.Known != health.Unknown {
			continue
		}
		r.checked[key] = true
		results = append(results, health.Result{Upstream: upstream, Key: t.Key, Healthy: !r.down[t.Key], First: true, Reason: "first", At: r.now})
	}
	r.mu.Unlock()
	for _, result := range results {
		r.d.Checked(result)
	}
}

func (r *rig) check(upstream, address string, healthy bool) {
	r.d.Checked(health.Result{Upstream: upstream, Key: address, Healthy: healthy, Reason: "refused", At: r.clock()})
}

// Publish is the supervisor with all workers.
func (r *rig) Publish(ctx context.Context, items []ipc.StateItem) error {
	r.mu.Lock()
	stop, err := r.stop, r.busy
	r.tells++
	r.mu.Unlock()
	if stop != nil {
		select {
		case <-stop:
		case <-ctx.Done():
		}
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range items {
		key := i.Kind + " " + i.Key
		r.log = append(r.log, fmt.Sprintf("%s gone=%t", key, i.Gone))
		if i.Gone {
			delete(r.items, key)
			continue
		}
		r.items[key] = i
	}
	return nil
}

// Grow is the supervisor as well.
func (r *rig) Grow(_ context.Context, n int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.noGrow != nil {
		return r.noGrow
	}
	r.grown += n
	return nil
}

// until waits for a condition, which is looked at under the lock.
func (r *rig) until(what string, ok func() bool) {
	r.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		done := ok()
		r.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(end) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.Fatalf("never: %s; told %q", what, slices.Sorted(maps.Keys(r.items)))
		}
	}
}

// settle waits until everything is told.
func (r *rig) settle() {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	idle := func() bool { // not under the rig's lock, which comes after the directory's
		r.d.mu.Lock()
		defer r.d.mu.Unlock()
		return len(r.d.stale) == 0
	}
	for end := time.Now().Add(patience); !idle(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.Fatal("something is to be looked after for ever")
		}
	}
	if err := r.d.Await(ctx); err != nil {
		r.Fatal(err)
	}
}

// snapshot is a configuration with upstreams, as "name: key = value; ...".
func (r *rig) snapshot(upstreams ...string) *config.Snapshot {
	r.Helper()
	text := "[servers.web]\naddr = \"127.0.0.1:1\"\n"
	for _, u := range upstreams {
		name, rest, _ := strings.Cut(u, ":")
		text += "[upstreams." + name + "]\n" + strings.ReplaceAll(rest, ";", "\n") + "\n"
	}
	cfg, report := config.Load([]config.Document{{Name: "test", Data: []byte(text)}}, config.Options{})
	if len(report.Errors) > 0 {
		r.Fatal(report.Errors)
	}
	data, _ := config.Encode(cfg)
	s, err := config.OpenSnapshot(data)
	if err != nil {
		r.Fatal(err)
	}
	return s
}

// apply makes a configuration live.
func (r *rig) apply(upstreams ...string) {
	r.Helper()
	if err := r.d.Stage(context.Background(), r.snapshot(upstreams...)); err != nil {
		r.Fatal(err)
	}
	r.d.Applied()
	r.settle()
}

// lists are all lists of an upstream as they were told, by source.
func (r *rig) lists(upstream string) map[string]ipc.Endpoints {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]ipc.Endpoints{}
	for _, i := range r.items {
		var e ipc.Endpoints
		if i.Kind != ipc.StateEndpoints {
			continue
		}
		if err := json.Unmarshal(i.Body, &e); err != nil || i.Key != e.Upstream+"@"+e.Source {
			r.Fatalf("%s: %v", i.Key, err)
		}
		if e.Upstream == upstream {
			all[e.Source] = e
		}
	}
	return all
}

// list is the one list of an upstream.
func (r *rig) list(upstream string) ipc.Endpoints {
	r.Helper()
	r.settle()
	all := r.lists(upstream)
	if len(all) != 1 {
		r.Fatalf("%d lists of %s", len(all), upstream)
	}
	for _, e := range all {
		return e
	}
	return ipc.Endpoints{}
}

// describe is a list as "address/health/admin ...", without what is usual.
func describe(e ipc.Endpoints) string {
	var all []string
	for _, one := range e.List {
		text := one.Address
		for _, word := range []string{string(one.Health), string(one.Admin)} {
			if word != "" {
				text += "/" + word
			}
		}
		if one.Backup {
			text += "/backup"
		}
		if one.Weight != 1 {
			text += fmt.Sprintf("/%d", one.Weight)
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func (r *rig) want(upstream, want string) ipc.Endpoints {
	r.Helper()
	e := r.list(upstream)
	if got := describe(e); got != want {
		r.Errorf("%s: %q, want %q", upstream, got, want)
	}
	return e
}

func (r *rig) admin(upstream, address string, admin ipc.Admin) Change {
	r.Helper()
	c, err := r.d.SetAdmin(upstream, address, admin, "uid 7")
	if err != nil {
		r.Fatal(err)
	}
	return c
}

var errAway = errors.New("away")

func (r *rig) tellPeople(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.people = append(r.people, text)
}

func (r *rig) turned(upstream, address string, healthy bool) {
	r.tellPeople(fmt.Sprintf("%s %s %t", upstream, address, healthy))
}
func (r *rig) upDown(upstream string, up bool) { r.tellPeople(fmt.Sprintf("%s %t", upstream, up)) }
func (r *rig) problem(upstream, text string)   { r.tellPeople(upstream + ": " + text) }
