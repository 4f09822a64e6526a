package acme

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"pingap/control/acme/internal/store"
)

// maxAttempts is how many certificates are worked at once; those that wait for somebody do not count.
const maxAttempts = 4

// Options of New. Publisher and one of Dir and Root are needed.
type Options struct {
	// Dir is the folder of keys and certificates, made with mode 0700 where it is missing.
	Dir string
	// Root, if set, is that folder opened by the caller; the Manager closes it.
	Root *os.Root
	// Publisher brings items to all workers.
	Publisher Publisher
	// Log is the component's logger; nil logs nothing.
	Log *zap.Logger
	// Issued is told of each new certificate, and Failed of each attempt that had none; they must not wait. nil tells nobody.
	Issued func(domains []string)
	Failed func(domains []string, why string)
	// Now is the time; nil is the real one.
	Now func() time.Time
	// LookupTXT asks for TXT records; nil is the system's resolver.
	LookupTXT func(ctx context.Context, name string) ([]string, error)
	// Getenv reads the environment, for credentials named there; nil has none.
	Getenv func(name string) string
	// Shared is what this node has in common with others that get the same certificates; nil for a node on its own.
	Shared Shared
	// Transport is what clients of CAs and DNS providers are made of; nil is one of the usual kind.
	Transport *http.Transport
}

// Manager keeps the certificates of a configuration issued. Its methods are safe for concurrent use, and but for Run and Close none waits
// for the network.
type Manager struct {
	opt    Options
	store  *files
	ledger *ledger
	// What tests replace: an attempt, what stands before the CA's transport, and the time between two looks for a record.
	obtain    func(context.Context, *job, Wanted, bool) (*bundle, error)
	before    func(http.RoundTripper) http.RoundTripper
	lookEvery time.Duration

	accounts    sync.Mutex // guards the files of accounts
	registering sync.Mutex // held while an account is registered
	slots       chan struct{}
	changed     chan struct{} // something for Run; capacity 1

	mu      sync.Mutex // guards what follows, and the fields of jobs that say so
	jobs    map[string]*job
	refused []Status // wishes that cannot be fulfilled
	gone    []Item   // certificates to withdraw
	leading *lead    // the last term of this node; nil before the first
	// pulled and answers are of all nodes, from Join until Run has a connection.
	pulled  map[string][]byte
	answers []Item
}

// New opens the folder. Nothing happens before Update and Run.
func New(opt Options) (*Manager, error) {
	if opt.Publisher == nil {
		return nil, errors.New("acme: no publisher")
	}
	opt.fill()
	s := new(files)
	var err error
	if opt.Root != nil {
		s.Store = store.Open(opt.Root)
	} else if s.Store, err = store.Make(opt.Dir); err != nil {
		return nil, fmt.Errorf("acme: %w", err)
	}
	l, damaged, err := openLedger(s, opt.Now)
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("acme: %w", err)
	}
	if damaged != nil {
		opt.Log.Error("what was spent of the limits of CAs is lost, counting begins anew", zap.Error(damaged))
	}
	m := &Manager{
		opt: opt, store: s, ledger: l, jobs: map[string]*job{},
		slots: make(chan struct{}, maxAttempts), changed: make(chan struct{}, 1),
		before: func(t http.RoundTripper) http.RoundTripper { return t }, lookEvery: lookEvery,
	}
	m.obtain = m.get
	if opt.Shared != nil {
		s.mirror = m.share
	}
	return m, nil
}

func (o *Options) fill() {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Issued == nil {
		o.Issued = func([]string) {}
	}
	if o.Failed == nil {
		o.Failed = func([]string, string) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.LookupTXT == nil {
		o.LookupTXT = net.DefaultResolver.LookupTXT
	}
	if o.Transport == nil {
		o.Transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			ForceAttemptHTTP2:   true,
			TLSHandshakeTimeout: 10 * time.Second,
			IdleConnTimeout:     time.Minute,
			MaxIdleConnsPerHost: 2,
		}
	}
}

// Close closes the folder, after Run has returned.
func (m *Manager) Close() error { return m.store.Close() }

// Update says which certificates are wanted from now on; call it after each applied configuration. It reads what is
// stored, so that Items has it at once, and leaves the rest to Run.
func (m *Manager) Update(certs []Wanted) {
	next := map[string]*wish{}
	var refused []Status
	certs = slices.Clone(certs)
	slices.SortFunc(certs, func(a, b Wanted) int { return strings.Compare(a.Name, b.Name) })

	m.mu.Lock()
	for _, c := range certs {
		w, err := c.normal()
		if err != nil {
			refused = append(refused, Status{Name: c.Name, Domains: c.Domains, Source: source, LastError: err.Error()})
			continue
		}
		j := next[w.id()]
		if j == nil {
			j = &wish{Wanted: w}
			next[w.id()] = j
		}
		j.names = append(j.names, w.Name) // with the same domains: one certificate under several names
	}
	m.replaceLocked(next)
	m.refused = refused
	fresh := m.unreadLocked()
	m.mu.Unlock()

	for id, j := range fresh {
		m.load(id, j)
	}
	m.poke()
}

// wish is a certificate that is wanted under some names.
type wish struct {
	Wanted
	names []string
}

// replaceLocked makes the jobs those of the wishes, and notes which certificates nobody wants any more.
func (m *Manager) replaceLocked(wishes map[string]*wish) {
	names := map[string]bool{}
	for _, w := range wishes {
		for _, n := range w.names {
			names[n] = true
		}
	}
	for id, j := range m.jobs {
		if j.bundle != nil {
			for _, i := range j.itemsLocked() {
				if !names[i.Name] {
					m.gone = append(m.gone, i)
				}
			}
		}
		if wishes[id] == nil {
			delete(m.jobs, id)
		}
	}
	for id, w := range wishes {
		j := m.jobs[id]
		if j == nil {
			j = newJob()
			m.jobs[id] = j
		}
		if !slices.Equal(j.names, w.names) {
			j.published = false
		}
		j.wanted, j.names = w.Wanted, w.names
		j.poke()
	}
}

// unreadLocked are the jobs whose file was not looked at yet.
func (m *Manager) unreadLocked() map[string]*job {
	fresh := map[string]*job{}
	for id, j := range m.jobs {
		if !j.read {
			j.read = true
			fresh[id] = j
		}
	}
	return fresh
}

func certificateFile(id string) string { return "certificates/" + id + ".json" }

// load reads a stored certificate. One that is damaged is set aside, and issued anew.
func (m *Manager) load(id string, j *job) {
	m.mu.Lock()
	domains, pulled := j.wanted.Domains, m.pulled[certificateFile(id)]
	m.mu.Unlock()
	if b, err := parseBundle(certificateFile(id), pulled); err == nil {
		m.take(j, b)
	}
	b := new(bundle)
	err := m.store.Read(certificateFile(id), b)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = b.verify(domains)
	}
	if err != nil {
		m.opt.Log.Error("stored certificate is not usable", zap.Strings("domains", domains), zap.Error(err))
		_ = m.store.SetAside(certificateFile(id)) // else the next one replaces it
		return
	}
	m.take(j, b)
}

// take gives a job a certificate that is stored, unless it has one that lasts longer.
func (m *Manager) take(j *job, b *bundle) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if j.bundle == nil || b.leaf.NotAfter.After(j.bundle.leaf.NotAfter) {
		j.bundle, j.published = b, false
	}
}

func (m *Manager) poke() {
	select {
	case m.changed <- struct{}{}:
	default: // Run will look anyway
	}
}

// Items are the issued certificates of all names, as they are now, and answers of other nodes: for workers that start before Run has
// published anything. An expired one is left out.
func (m *Manager) Items() []Item {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := slices.Clone(m.answers)
	for _, j := range m.jobs {
		if j.bundle != nil && m.opt.Now().Before(j.bundle.leaf.NotAfter) {
			items = append(items, j.itemsLocked()...)
		}
	}
	return items
}

// Republish makes Run publish all certificates again: whoever keeps them for the workers has lost them.
func (m *Manager) Republish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.jobs {
		j.published = false
		j.poke()
	}
}
