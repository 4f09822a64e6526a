package fleet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"pingap/control/acme"
	"pingap/control/source/etcd"
)

// Keys, below the path of the state.
const (
	lockKey       = "lock"
	checkKey      = "check"
	checkText     = "pingap"
	nodesKey      = "nodes/"
	filesKey      = "files/"
	challengesKey = "challenges/"
)

// Times of a session.
const (
	probeEvery  = 2 * time.Second
	quiet       = 20 * time.Millisecond // after an event: its neighbours come along
	recheck     = 30 * time.Second      // everything is looked at, in case an event was lost
	goodbyeTime = 2 * time.Second
	// few is how many values are read one by one; more are read all together.
	few = 50
)

// session is one connection, and one lease.
type session struct {
	node   *Node
	member acme.Member
	client *etcd.Client
	lease  etcd.Lease
	end    context.CancelCauseFunc
	poke   chan struct{} // something has changed; capacity 1

	// Of the goroutine that looks.
	known map[string]int64 // revisions of what was read, by key
	seen  int64            // of the newest answer to a challenge that the workers have
	told  int64            // what nodes/ID says of that; -1 where the key is not there yet
	fence *etcd.Fence      // nil while this node does not hold the lock
	leads bool             // and has begun to lead

	mu      sync.Mutex // guards what follows
	members map[string]member
	looked  int64         // revision that members is of, at least
	changed chan struct{} // closed when one of these has changed
}

// member is a node, as its key says.
type member struct {
	Name string `json:"name"`
	Seen int64  `json:"seen"`
}

// holder is what the lock holds. ID is of the session: a lock of a restored cluster is not ours.
type holder struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// session takes part until something fails.
func (n *Node) session(ctx context.Context, m acme.Member) error {
	client, err := etcd.Dial(ctx, n.target)
	if err != nil {
		return err
	}
	defer client.Close()
	s := &session{node: n, member: m, client: client, poke: make(chan struct{}, 1), known: map[string]int64{}, told: -1,
		members: map[string]member{}, changed: make(chan struct{})}
	if err := s.check(ctx); err != nil {
		return err
	}
	granted := time.Now()
	if s.lease, err = client.Grant(ctx, n.opt.TTL); err != nil {
		return err
	}
	ctx, s.end = context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { s.end(s.renewing(ctx, granted)) })
	wg.Go(func() { s.end(s.looking(ctx)) })
	<-ctx.Done()
	wg.Wait()
	s.goodbye(ctx)
	return context.Cause(ctx)
}

// goodbye gives up the lock at once, where etcd can be told.
func (s *session) goodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTime)
	defer cancel()
	_ = s.client.Revoke(ctx, s.lease) // else it runs out
}

// check finds out whether the secret is that of the other nodes, before anything is believed or written.
func (s *session) check(ctx context.Context) error {
	key := s.key(checkKey)
	for range 2 {
		e, found, err := s.client.Get(ctx, key)
		if err != nil {
			return err
		}
		if found {
			text, err := s.node.seal.open(checkKey, e.Value)
			if err != nil || string(text) != checkText {
				return fmt.Errorf("%s: %w", s.node.target, errSealed)
			}
			return nil
		}
		sealed, err := s.node.seal.seal(checkKey, []byte(checkText))
		if err != nil {
			return err
		}
		_, err = s.client.Write(ctx, []etcd.Change{{Key: key, Value: sealed}}, time.Now())
		if !errors.Is(err, etcd.ErrConflict) {
			return err
		}
	}
	return nil
}

func (s *session) key(short string) string { return s.node.target.Prefix() + short }

// renewing keeps the lease. It returns before the lease can have run out: a quarter of its time before, by this node's clock, from when it
// was last asked for.
func (s *session) renewing(ctx context.Context, granted time.Time) error {
	ttl := s.node.opt.TTL
	ticker := time.NewTicker(ttl / 5)
	defer ticker.Stop()
	for {
		until := granted.Add(ttl * 3 / 4)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		asked := time.Now()
		limited, cancel := context.WithDeadline(ctx, until)
		err := s.client.Renew(limited, s.lease)
		cancel()
		switch {
		case err == nil:
			granted = asked
		case errors.Is(err, etcd.ErrExpired), !time.Now().Before(until):
			return err
		}
	}
}

// looking looks at each event until something fails.
func (s *session) looking(ctx context.Context) error {
	mark, err := s.look(ctx)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { // ends with ctx
		err := s.client.Follow(ctx, mark, probeEvery, s.wake)
		if err != nil {
			s.end(err)
		}
	})
	tick := time.NewTicker(recheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-s.poke:
			sleep(ctx, quiet)
		}
		if _, err := s.look(ctx); err != nil {
			s.end(err) // ends Follow too
			return err
		}
	}
}

func (s *session) wake() {
	select {
	case s.poke <- struct{}{}:
	default: // it is about to be looked at
	}
}

// look reads what has changed and does what follows from it.
func (s *session) look(ctx context.Context) (etcd.Mark, error) {
	names, mark, err := s.client.Names(ctx, etcd.Limits{Keys: maxKeys, Bytes: maxBytes})
	if err != nil {
		return mark, err
	}
	changed, gone := s.differences(names)
	entries, err := s.values(ctx, changed)
	if err != nil {
		return mark, err
	}
	files := map[string][]byte{}
	var answers []etcd.Entry
	for _, e := range entries {
		key := s.node.short(e.Key)
		s.known[e.Key] = e.Modified
		switch {
		case strings.HasPrefix(key, challengesKey):
			answers = append(answers, e)
		case strings.HasPrefix(key, nodesKey):
			s.note(key, e.Value)
		default:
			s.node.openFile(e, files)
		}
	}
	for _, key := range gone {
		delete(s.known, key)
		s.note(s.node.short(key), nil)
	}
	if len(files) > 0 || s.told < 0 { // at the beginning in any case
		s.member.Adopt(files)
	}
	s.answers(ctx, answers)
	if err := s.acknowledge(ctx); err != nil {
		return mark, err
	}
	s.mu.Lock()
	s.looked = mark.Revision
	s.signalLocked()
	s.mu.Unlock()
	return mark, s.lock(ctx, entries)
}

// signalLocked wakes who waits for other nodes.
func (s *session) signalLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// differences are the keys that were not read as they are now, and those that are gone.
func (s *session) differences(names []etcd.Entry) (changed, gone []string) {
	there := map[string]bool{}
	for _, e := range names {
		there[e.Key] = true
		if s.known[e.Key] != e.Modified {
			changed = append(changed, e.Key)
		}
	}
	for key := range s.known {
		if !there[key] {
			gone = append(gone, key)
		}
	}
	return changed, gone
}

// values reads keys. One that has gone meanwhile is left out.
func (s *session) values(ctx context.Context, keys []string) ([]etcd.Entry, error) {
	if len(keys) > few {
		all, _, err := s.client.Read(ctx, etcd.Limits{Keys: maxKeys, Bytes: maxBytes})
		return all, err
	}
	var entries []etcd.Entry
	for _, key := range keys {
		e, found, err := s.client.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		if found {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// note remembers what a key of a node says; nil for nothing.
func (s *session) note(key string, value []byte) {
	id, ok := strings.CutPrefix(key, nodesKey)
	if !ok {
		return
	}
	var m member
	s.mu.Lock()
	defer s.mu.Unlock()
	if value == nil {
		delete(s.members, id)
	} else if json.Unmarshal(value, &m) == nil {
		m.Name = printable(m.Name)
		s.members[id] = m
	}
}

// acknowledge says up to where the workers of this node have all answers.
func (s *session) acknowledge(ctx context.Context) error {
	if s.told == s.seen {
		return nil
	}
	value, err := json.Marshal(member{Name: s.node.opt.Name, Seen: s.seen})
	if err == nil {
		err = s.client.PutLeased(ctx, s.key(nodesKey+s.node.id), value, s.lease)
	}
	if err == nil {
		s.told = s.seen
	}
	return err
}

// lock makes the lock where there is none, and ends the session where there was ours.
func (s *session) lock(ctx context.Context, entries []etcd.Entry) error {
	key := s.key(lockKey)
	modified, there := s.known[key]
	switch {
	case s.fence != nil && (!there || modified != s.fence.Created):
		return s.lost()
	case s.fence != nil:
		return s.lead(ctx)
	case there:
		for _, e := range entries {
			var h holder
			if e.Key == key && json.Unmarshal(e.Value, &h) == nil {
				s.node.joined(printable(h.Name), false)
			}
		}
		return nil
	}
	random := make([]byte, 8)
	rand.Read(random) // never fails
	value, err := json.Marshal(holder{Name: s.node.opt.Name, ID: s.node.id + hex.EncodeToString(random)})
	if err != nil {
		return err
	}
	fence, mine, err := s.client.Acquire(ctx, key, value, s.lease)
	if err != nil || !mine {
		s.wake() // whose it is comes with the next look
		return err
	}
	s.known[fence.Key], s.fence = fence.Created, &fence
	s.node.joined(s.node.opt.Name, true)
	return s.lead(ctx)
}

func (s *session) lost() error { return fmt.Errorf("%s: %w", s.node.target, etcd.ErrFenced) }

// lead begins a term, if it is time and has not begun. Everything is read again: the node that led before may have written until a moment
// ago.
func (s *session) lead(ctx context.Context) error {
	if s.leads {
		return nil
	}
	if wait := s.node.unsettled(); wait > 0 {
		time.AfterFunc(wait, s.wake)
		return nil
	}
	s.leads = true
	entries, err := s.node.readAll(ctx, s.client)
	if err != nil {
		return err
	}
	return s.member.Lead(ctx, &term{session: s, fence: *s.fence}, s.node.filesOf(entries))
}
