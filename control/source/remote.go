package source

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"pingap/control/source/etcd"
)

// Times of watching a remote location.
const (
	remoteQuiet = 30 * time.Millisecond  // without another event, before what is there is read
	remoteBurst = 200 * time.Millisecond // the longest that a stream of events can put that off
	remoteProbe = 2 * time.Second        // between two questions whether the watch can be relied on
	firstWait   = 100 * time.Millisecond // before it is tried again; doubled by each failure
	longestWait = 15 * time.Second
	// remoteRecheck is how often all is read without an event, in case one was lost.
	remoteRecheck = time.Minute
)

// Remote is a location that is reached over the network. Several goroutines may use it; one of them may Run it. NewRemote makes one.
type Remote struct {
	loc Location

	mu     sync.Mutex // guards what follows
	client *etcd.Client
	state  RemoteState
}

// RemoteState is what Run knows of a location.
type RemoteState struct {
	Digest   string    // of what was read last; empty before that
	Revision int64     // likewise
	Err      error     // why it cannot be read or watched now, nil where it can
	Since    time.Time // of Err, or of the connection
}

// NewRemote makes one without reaching out.
func NewRemote(l Location) *Remote { return &Remote{loc: l} }

// Close ends the connection.
func (r *Remote) Close() { r.use(nil) }

// State is what Run found last.
func (r *Remote) State() RemoteState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// Read returns all documents as they were at one revision.
func (r *Remote) Read(ctx context.Context) ([]Document, error) {
	r.mu.Lock()
	client := r.client
	r.mu.Unlock()
	if client != nil {
		if docs, _, err := r.read(ctx, client); err == nil || errors.Is(err, ErrEmpty) || ctx.Err() != nil {
			return docs, err
		}
		// That connection may have been replaced meanwhile.
	}
	client, err := etcd.Dial(ctx, r.loc.Etcd)
	if err != nil {
		r.failed(err)
		return nil, fmt.Errorf("configuration %w", err)
	}
	defer client.Close()
	docs, _, err := r.read(ctx, client)
	return docs, err
}

func (r *Remote) read(ctx context.Context, client *etcd.Client) ([]Document, etcd.Mark, error) {
	entries, mark, err := client.Read(ctx, etcd.Limits{Keys: MaxFiles, Bytes: MaxBytes})
	if err != nil {
		return nil, mark, fmt.Errorf("configuration %w", err)
	}
	docs, err := remoteDocuments(r.loc, entries)
	return docs, mark, err
}

// remoteDocuments makes documents of keys. Those that are not .toml are left out, as files are.
func remoteDocuments(l Location, entries []etcd.Entry) ([]Document, error) {
	var docs []Document
	other := ""
	for _, e := range entries {
		switch name := path.Base(e.Key); {
		case strings.HasPrefix(name, "."):
		case path.Ext(name) == ".toml":
			docs = append(docs, Document{Path: "etcd:" + shown(e.Key), Data: e.Value})
		case path.Ext(name) == ".hcl", path.Ext(name) == ".kdl":
			other = shown(e.Key)
		}
	}
	switch {
	case len(docs) > 0:
		return docs, nil
	case other != "":
		return nil, fmt.Errorf("configuration %s: no key ends in .toml; the format of %s is %w", l, other, ErrUnsupported)
	}
	return nil, fmt.Errorf("configuration %s: the path %w (no key below it ends in .toml)", l, ErrEmpty)
}

// shown makes a key fit for messages: it may hold anything.
func shown(key string) string {
	if !utf8.ValidString(key) {
		key = strings.ToValidUTF8(key, "?")
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, key)
}

// Run keeps a connection until ctx ends, and reports to changed: the contents once there is a connection, then every time they differ
// from what was reported before, and why they cannot be read whenever that is another reason. It calls changed from its own goroutine only.
func (r *Remote) Run(ctx context.Context, changed func(Change)) {
	defer r.Close()
	var last Change
	tell := func(c Change) {
		if c.Digest != last.Digest || text(c.Err) != text(last.Err) {
			last = c
			changed(c)
		}
	}
	wait := firstWait
	for ctx.Err() == nil {
		began := time.Now()
		err := r.connected(ctx, tell)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > longestWait {
			wait = firstWait
		}
		if errors.Is(err, etcd.ErrElsewhere) {
			wait = firstWait // it answers: read it now
		} else {
			r.failed(err)
			tell(Change{Err: err})
		}
		// Nodes that have lost it at once do not come back at once.
		if !sleep(ctx, wait/2+rand.N(wait/2)) {
			return
		}
		wait = min(2*wait, longestWait)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// connected makes a connection and reports what is there and what becomes of it, until something fails.
func (r *Remote) connected(ctx context.Context, tell func(Change)) error {
	client, err := etcd.Dial(ctx, r.loc.Etcd)
	if err != nil {
		return err
	}
	r.use(client)
	for {
		mark, err := r.look(ctx, client, tell)
		if err != nil {
			return err
		}
		if err := r.follow(ctx, client, mark, tell); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// follow looks again at each event until something fails.
func (r *Remote) follow(ctx context.Context, client *etcd.Client, mark etcd.Mark, tell func(Change)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	events := make(chan struct{}, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for settled(ctx, events) {
			if _, err := r.look(ctx, client, tell); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		}
	})
	err := client.Follow(ctx, mark, remoteProbe, func() {
		select {
		case events <- struct{}{}:
		default: // it is about to be looked at
		}
	})
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	cancel(nil)
	return err
}

// settled waits for an event, and then until there are no more for a moment; or until it is time to look without one.
func settled(ctx context.Context, events <-chan struct{}) bool {
	recheck := time.NewTimer(remoteRecheck)
	defer recheck.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-recheck.C:
		return true
	case <-events:
	}
	began := time.Now()
	for {
		t := time.NewTimer(max(0, min(remoteQuiet, remoteBurst-time.Since(began))))
		select {
		case <-ctx.Done():
			t.Stop()
			return false
		case <-events:
			t.Stop()
			if time.Since(began) < remoteBurst {
				continue
			}
		case <-t.C:
		}
		return true
	}
}

// look reads what is there now and reports it. That nothing is there is a report too, and no failure of the connection.
func (r *Remote) look(ctx context.Context, client *etcd.Client, tell func(Change)) (etcd.Mark, error) {
	docs, mark, err := r.read(ctx, client)
	empty := errors.Is(err, ErrEmpty) || errors.Is(err, ErrUnsupported)
	switch {
	case err == nil:
		digest := Digest(docs)
		r.found(RemoteState{Digest: digest, Revision: mark.Revision})
		tell(Change{Digest: digest})
	case empty:
		r.found(RemoteState{Err: err, Revision: mark.Revision})
		tell(Change{Err: err})
		err = nil
	}
	return mark, err
}

func (r *Remote) use(client *etcd.Client) {
	r.mu.Lock()
	before := r.client
	r.client = client
	r.mu.Unlock()
	if before != nil {
		before.Close()
	}
}

func (r *Remote) found(s RemoteState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Since = r.state.Since
	if r.state.Err != nil || s.Since.IsZero() {
		s.Since = time.Now()
	}
	r.state = s
}

func (r *Remote) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.Err == nil {
		r.state.Since = time.Now()
	}
	r.state.Err = err
}
