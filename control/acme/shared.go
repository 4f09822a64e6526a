package acme

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"go.uber.org/zap"

	"pingap/control/acme/internal/store"
)

// Shared is what nodes have in common that get certificates together: files by the names of the folder, and answers to challenges. One
// node at a time writes them, which alone speaks to CAs.
type Shared interface {
	// Join says that this node is about to serve, and returns all files, and the answers that workers must have before they accept.
	Join(ctx context.Context) (map[string][]byte, []Item, error)
	// Read returns all files.
	Read(ctx context.Context) (map[string][]byte, error)
	// Run takes part until ctx ends. It calls the methods of m, one at a time.
	Run(ctx context.Context, m Member)
}

// Member is told what becomes of the files, and when this node is the one that writes them.
type Member interface {
	// Adopt takes files that are new or were changed.
	Adopt(files map[string][]byte)
	// Lead says that this node writes the files until ctx ends, and what they are then.
	Lead(ctx context.Context, t Term, files map[string][]byte) error
}

// Term writes what nodes have in common. Every method fails when its time is over, and any failure ends it.
type Term interface {
	// Write replaces a file; nil removes it.
	Write(ctx context.Context, name string, data []byte) error
	// Publish returns when the workers of all other nodes have the items too, as far as those nodes answer in time.
	Publish(ctx context.Context, items ...Item) error
	Withdraw(ctx context.Context, items ...Item) error
}

// errFollowing is why a node asks nothing of a CA.
var errFollowing = errors.New("another node gets the certificates, or none can")

// lead is a term of this node.
type lead struct {
	Term
	ctx context.Context // the whole term; it is a value of that time, not of a call
}

// files are those of the folder. While this node leads, what is written goes to all nodes.
type files struct {
	*store.Store
	writing sync.Mutex // held while a file is written
	mirror  func(name string, data []byte) error
}

// Write replaces a file, here and for all nodes.
func (f *files) Write(name string, value any) error {
	err := f.writeHere(name, value)
	if f.mirror == nil {
		return err
	}
	data, merr := json.Marshal(value)
	if merr == nil {
		merr = f.mirror(name, data)
	}
	return errors.Join(err, merr)
}

func (f *files) writeHere(name string, value any) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	return f.Store.Write(name, value)
}

// term is the lead of this node, nil where it has none.
func (m *Manager) term() *lead {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leading == nil || m.leading.ctx.Err() != nil {
		return nil
	}
	return m.leading
}

// mayAsk says whether this node may ask something of a CA.
func (m *Manager) mayAsk() bool { return m.opt.Shared == nil || m.term() != nil }

// during is ctx until the term of this node ends as well, which is now if it has none.
func (m *Manager) during(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if m.opt.Shared == nil {
		return ctx, cancel
	}
	t := m.term()
	if t == nil {
		cancel()
		return ctx, cancel
	}
	stop := context.AfterFunc(t.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// share writes a file for all nodes. What another node would have to know before anything is asked of a CA must not get lost; a certificate
// may wait until this node leads again.
func (m *Manager) share(name string, data []byte) error {
	t := m.term()
	switch {
	case t != nil:
		return t.Write(t.ctx, name, data)
	case strings.HasPrefix(name, "certificates/"):
		return nil
	}
	return errFollowing
}

// Join reads what all nodes have, so that Update finds it before Run. It waits for the network.
func (m *Manager) Join(ctx context.Context) error {
	if m.opt.Shared == nil {
		return nil
	}
	all, answers, err := m.opt.Shared.Join(ctx)
	m.mu.Lock()
	m.pulled, m.answers = all, answers
	m.mu.Unlock()
	return err
}

// Adopt takes files of all nodes: certificates that are newer than ours are kept and published. It is for Shared.
func (m *Manager) Adopt(all map[string][]byte) {
	m.mu.Lock()
	m.pulled, m.answers = nil, nil // from here on the folder has it, and Shared tells answers
	m.mu.Unlock()
	for name, data := range all {
		switch {
		case name == stateFile && m.term() == nil:
			m.ledger.show(data)
		case strings.HasPrefix(name, "certificates/"):
			if err := m.adopt(name, data); err != nil {
				m.opt.Log.Warn("certificate of all nodes is not usable", zap.String("file", name), zap.Error(err))
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.jobs {
		j.poke()
	}
}

func (m *Manager) adopt(name string, data []byte) error {
	b, err := parseBundle(name, data)
	if err != nil {
		return err
	}
	if old := m.storedBundle(name); old == nil || b.newer(old) {
		if err := m.store.writeHere(name, b); err != nil {
			m.opt.Log.Error("certificate of all nodes could not be stored", zap.Strings("domains", b.Domains), zap.Error(err))
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[strings.TrimSuffix(strings.TrimPrefix(name, "certificates/"), ".json")]
	if j != nil && (j.bundle == nil || b.newer(j.bundle)) {
		j.bundle, j.unsaved, j.published = b, false, false
	}
	return nil
}

// parseBundle reads a certificate that another node has written. Its text never shows: it holds the key.
func parseBundle(name string, data []byte) (*bundle, error) {
	b := new(bundle)
	if json.Unmarshal(data, b) != nil {
		return nil, store.ErrDamaged
	}
	if w := (Wanted{Directory: b.Directory, Domains: b.Domains}); certificateFile(w.id()) != name {
		return nil, fmt.Errorf("%w: it is another one", store.ErrDamaged)
	}
	return b, b.verify(b.Domains)
}

// storedBundle is what the folder has, nil for nothing usable.
func (m *Manager) storedBundle(name string) *bundle {
	b := new(bundle)
	if m.store.Read(name, b) != nil || b.verify(b.Domains) != nil {
		return nil
	}
	return b
}

// newer compares by the clock of the CA.
func (b *bundle) newer(than *bundle) bool { return b.leaf.NotBefore.After(than.leaf.NotBefore) }

// Lead takes over: what all nodes have becomes ours, what only we have becomes theirs, and the work begins. It is for Shared.
func (m *Manager) Lead(ctx context.Context, t Term, all map[string][]byte) error {
	m.Adopt(all)
	own := map[string][]byte{}
	for _, folder := range []string{"accounts", "certificates"} {
		names, err := m.store.Names(folder)
		if err != nil {
			return err
		}
		for _, name := range append(names, stateFile) {
			var data json.RawMessage
			if m.store.Read(name, &data) == nil { // nothing, or damaged: nothing for others
				own[name] = data
			}
		}
	}
	for name, data := range all {
		if name != stateFile && !strings.HasPrefix(name, "accounts/") || sameJSON(own[name], data) {
			continue
		}
		if err := m.replace(name, data, own[name] != nil); err != nil {
			return err
		}
	}
	for name, data := range own {
		if m.worth(name, data, all[name]) {
			if err := t.Write(ctx, name, data); err != nil {
				return err
			}
		}
	}
	if _, err := m.ledger.read(); err != nil {
		return err
	}
	m.mu.Lock()
	m.leading = &lead{Term: t, ctx: ctx}
	jobs := maps.Clone(m.jobs)
	m.mu.Unlock()
	for _, j := range jobs {
		j.poke()
	}
	return nil
}

// replace writes a file of all nodes into the folder. An account key of our own is kept: it may be all that there is of the account.
func (m *Manager) replace(name string, data []byte, there bool) error {
	if there && name != stateFile {
		if err := m.store.SetOwn(name); err != nil {
			return err
		}
	}
	return m.store.writeHere(name, json.RawMessage(data))
}

// worth says whether a file of ours is something for all nodes, who have another one, or none.
func (m *Manager) worth(name string, data, theirs []byte) bool {
	if !strings.HasPrefix(name, "certificates/") {
		return theirs == nil
	}
	b, err := parseBundle(name, data)
	if err != nil || !m.opt.Now().Before(b.leaf.NotAfter) {
		return false
	}
	old, err := parseBundle(name, theirs)
	return err != nil || b.newer(old)
}

// sameJSON compares texts but for white space.
func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// sweepShared removes what nobody wants any more for all nodes.
func (m *Manager) sweepShared(ctx context.Context) {
	t := m.term()
	if t == nil {
		return
	}
	all, err := m.opt.Shared.Read(ctx)
	if err != nil {
		m.opt.Log.Warn("certificates of all nodes could not be listed", zap.Error(err))
		return
	}
	m.mu.Lock()
	jobs := maps.Clone(m.jobs)
	m.mu.Unlock()
	for name, data := range all {
		b, err := parseBundle(name, data)
		if err != nil || jobs[strings.TrimSuffix(strings.TrimPrefix(name, "certificates/"), ".json")] != nil || m.opt.Now().Sub(b.leaf.NotAfter) <= keepStored {
			continue
		}
		if t.Write(ctx, name, nil) != nil {
			return // the term is over
		}
	}
}
