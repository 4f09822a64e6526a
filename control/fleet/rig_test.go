package fleet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"pingap/control/acme"
	"pingap/control/source/etcd"
	server "pingap/e2e/etcd"
	"pingap/e2e/pebble"
)

const patience = 60 * time.Second // for what takes a moment on a free machine

// workers stand for those of a node.
type workers struct {
	mu     sync.Mutex
	items  map[string]acme.Item
	refuse int // so many calls of Publish fail
}

func newWorkers() *workers { return &workers{items: map[string]acme.Item{}} }

func (w *workers) Publish(_ context.Context, items ...acme.Item) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse > 0 {
		w.refuse--
		return errors.New("refused")
	}
	for _, i := range items {
		w.items[i.String()] = i
	}
	return nil
}

func (w *workers) Withdraw(_ context.Context, items ...acme.Item) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range items {
		delete(w.items, i.String())
	}
	return nil
}

func (w *workers) get(kind acme.Kind, name string) (acme.Item, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, ok := w.items[acme.Item{Kind: kind, Name: name}.String()]
	return i, ok
}

// answers is how many answers to challenges there are.
func (w *workers) answers() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, i := range w.items {
		if i.Kind != acme.Certificate {
			n++
		}
	}
	return n
}

// rig is an etcd, a CA that looks for answers at the nodes that the test names, and nodes.
type rig struct {
	t    *testing.T
	etcd *server.Server
	ca   *pebble.CA
	late atomic.Int64 // added to the time of all nodes

	mu     sync.Mutex
	front  []*node       // that a CA reaches
	gate   chan struct{} // closed: the CA is answered
	asked  int
	issued []string // names of nodes that were issued a certificate
	failed []string
}

// node is one pingap, without the rest of it.
type node struct {
	*rig
	name    string
	dir     string
	secret  string
	serve   bool // the CA reaches it from when it runs
	workers *workers
	fleet   *Node
	manager *acme.Manager
	stop    func()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	if name := server.Missing(); name != "" {
		t.Skip("not installed: " + name)
	}
	s, err := server.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, etcd: s, gate: make(chan struct{})}
	close(r.gate)
	web := httptest.NewServer(http.HandlerFunc(r.answer))
	t.Cleanup(web.Close)
	r.ca = pebble.Start(t, pebble.Options{HTTPPort: web.Listener.Addr().(*net.TCPAddr).Port, TLSPort: 1})
	return r
}

// answer is what a CA gets, from each of the nodes that it reaches in turn.
func (r *rig) answer(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	gate := r.gate
	r.asked++
	asked := r.asked
	r.mu.Unlock()
	select {
	case <-gate:
	case <-q.Context().Done():
		return
	}
	r.mu.Lock()
	n := r.front[asked%len(r.front)]
	r.mu.Unlock()
	item, ok := n.workers.get(acme.Token, strings.TrimPrefix(q.URL.Path, "/.well-known/acme-challenge/"))
	if !ok {
		http.NotFound(w, q)
		return
	}
	fmt.Fprint(w, item.KeyAuth)
}

// hold has the CA wait for its answers until the function is called.
func (r *rig) hold() (release func()) {
	gate := make(chan struct{})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gate = gate
	return sync.OnceFunc(func() { close(gate) })
}

func (r *rig) reach(nodes ...*node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.front = nodes
}

func (r *rig) challenges() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

func (r *rig) issues() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.issued)
}

// node makes one that does not run yet.
func (r *rig) node(name string) *node {
	return &node{rig: r, name: name, dir: r.t.TempDir(), secret: secret, workers: newWorkers(), stop: func() {}}
}

// run starts a node.
func (n *node) run(want ...acme.Wanted) {
	t := n.t
	t.Helper()
	target, err := etcd.Parse("etcd://" + n.etcd.Address + "/pingap?timeout=3s&connect_timeout=1s&acme_secret=" + strings.ReplaceAll(n.secret, " ", "+"))
	if err != nil {
		t.Fatal(err)
	}
	log := zaptest.NewLogger(t).Named(n.name)
	if n.fleet, err = New(Options{Target: target, Name: n.name, Publisher: n.workers, Log: log, TTL: 3 * time.Second}); err != nil {
		t.Fatal(err)
	}
	n.manager, err = acme.New(acme.Options{Dir: n.dir, Publisher: n.workers, Shared: n.fleet, Log: log,
		Now: func() time.Time { return time.Now().Add(time.Duration(n.late.Load())) },
		Issued: func([]string) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.issued = append(n.issued, n.name)
		},
		Failed: func(_ []string, why string) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.failed = append(n.failed, n.name+": "+why)
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	join, end := context.WithTimeout(ctx, 5*time.Second)
	if err := n.manager.Join(join); err != nil {
		t.Logf("%s: %v", n.name, err)
	}
	end()
	n.manager.Update(want)
	_ = n.workers.Publish(ctx, n.manager.Items()...) // it does not refuse yet
	if n.serve {
		r := n.rig
		r.reach(append(slices.Clone(r.front), n)...)
	}
	done := make(chan error, 1)
	go func() { done <- n.manager.Run(ctx) }() // until stop, which waits for it
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		n.manager.Close()
	})
	t.Cleanup(n.stop)
}

func (r *rig) site(name string) acme.Wanted {
	return acme.Wanted{Name: name, Domains: []string{name + ".example.com"}, Directory: r.ca.Directory, CA: r.ca.PEM}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(10 * time.Millisecond) // between two looks, not for something
	}
}

// has waits until the workers of a node have a certificate other than one, and returns it.
func (n *node) has(name string, than acme.Item) (item acme.Item) {
	n.t.Helper()
	eventually(n.t, n.name+" has "+name, func() bool {
		var ok bool
		item, ok = n.workers.get(acme.Certificate, name)
		return ok && string(item.Chain) != string(than.Chain)
	})
	if _, err := tls.X509KeyPair(item.Chain, item.Key); err != nil {
		n.t.Fatal(err)
	}
	return item
}

// leads waits until exactly one of some nodes leads, and returns it before the others.
func leads(t *testing.T, nodes ...*node) (leader *node, others []*node) {
	t.Helper()
	eventually(t, "one leads", func() bool {
		leader, others = nil, nil
		for _, n := range nodes {
			if s := n.fleet.State(); s.Leading && s.Err == nil {
				leader = n
			} else if s.Err == nil && s.Holder != "" {
				others = append(others, n)
			}
		}
		return leader != nil && len(others) == len(nodes)-1
	})
	for _, n := range others {
		if holder := n.fleet.State().Holder; holder != leader.name {
			t.Errorf("%s says that %q leads, not %s", n.name, holder, leader.name)
		}
	}
	return leader, others
}

func serial(t *testing.T, item acme.Item) string {
	t.Helper()
	pair, err := tls.X509KeyPair(item.Chain, item.Key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf.SerialNumber.String()
}
