package fleet

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"pingap/control/acme"
	"pingap/control/source/etcd"
)

// ackTime is how long a CA is not told of an answer because a node does not say that its workers have it. One that has gone without a word
// is out of the list when its lease has run out.
const ackTime = 10 * time.Second

// term is the time in which this node holds the lock.
type term struct {
	session *session
	fence   etcd.Fence
}

// Write replaces a file, or removes it.
func (t *term) Write(ctx context.Context, name string, data []byte) error {
	_, err := t.write(ctx, etcd.Lease{}, filesKey+name, data)
	return err
}

// write writes a key, sealed, if the lock is still held. Whatever goes wrong ends the session: nobody who cannot write may lead.
func (t *term) write(ctx context.Context, l etcd.Lease, short string, data []byte) (int64, error) {
	change := etcd.Change{Key: t.session.key(short)}
	if data != nil {
		var err error
		if change.Value, err = t.session.node.seal.seal(short, data); err != nil {
			return 0, err // of this value only
		}
	}
	revision, err := t.session.client.Guarded(ctx, t.fence, l, change)
	if err != nil && ctx.Err() == nil {
		t.session.end(err)
	}
	return revision, err
}

// Publish gives answers to all other nodes, and waits until they say that their workers have them.
func (t *term) Publish(ctx context.Context, items ...acme.Item) error {
	var newest int64
	for _, i := range items {
		data, err := json.Marshal(i)
		if err != nil {
			return err
		}
		if newest, err = t.write(ctx, t.session.lease, answerKey(i), data); err != nil {
			return err
		}
	}
	return t.session.acknowledged(ctx, newest)
}

// Withdraw takes answers back.
func (t *term) Withdraw(ctx context.Context, items ...acme.Item) error {
	for _, i := range items {
		if _, err := t.write(ctx, etcd.Lease{}, answerKey(i), nil); err != nil {
			return err
		}
	}
	return nil
}

// answerKey says nothing of what it names.
func answerKey(i acme.Item) string {
	sum := sha256.Sum256([]byte(i.Kind.String() + " " + i.Name))
	return challengesKey + hex.EncodeToString(sum[:16])
}

// acknowledged waits until all other nodes have what was written at a revision; at most ackTime for those that do not say so.
func (s *session) acknowledged(ctx context.Context, revision int64) error {
	late := time.NewTimer(ackTime)
	defer late.Stop()
	for {
		waiting, known, changed := s.behind(revision)
		if known && len(waiting) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		case <-late.C:
			s.node.opt.Log.Warn("not all nodes say that they have the answer to a challenge, the CA is told all the same", zap.Strings("nodes", waiting))
			return nil
		}
	}
}

// behind are the other nodes that have not come to a revision; known says whether all are known that were there then.
func (s *session) behind(revision int64) (names []string, known bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, m := range s.members {
		if id != s.node.id && m.Seen < revision {
			names = append(names, m.Name)
		}
	}
	return names, s.looked >= revision, s.changed
}

// answers brings changed answers to the workers, and withdraws those that are gone. What the workers do not take is tried again, and not
// acknowledged before.
func (s *session) answers(ctx context.Context, changed []etcd.Entry) {
	n := s.node
	s.withdraw(ctx)
	if s.fence != nil {
		return // they are ours, and were told
	}
	slices.SortFunc(changed, func(a, b etcd.Entry) int { return cmp.Compare(a.Modified, b.Modified) })
	for i, e := range changed {
		item, err := n.openAnswer(e)
		if err != nil {
			n.opt.Log.Error("answer to a challenge of another node cannot be read", zap.Error(err))
			continue
		}
		if err := n.opt.Publisher.Publish(ctx, item); err != nil {
			n.opt.Log.Warn("answer to a challenge of another node was not told to all workers", zap.Error(err))
			for _, again := range changed[i:] {
				delete(s.known, again.Key)
			}
			time.AfterFunc(answersAgain, s.wake)
			return
		}
		n.keep(e.Key, item)
		s.seen = max(s.seen, e.Modified)
	}
}

// withdraw takes back what other nodes have withdrawn.
func (s *session) withdraw(ctx context.Context) {
	n := s.node
	n.mu.Lock()
	all := maps.Clone(n.answer)
	n.mu.Unlock()
	for key, item := range all {
		if _, there := s.known[key]; there || n.opt.Publisher.Withdraw(ctx, item) != nil {
			continue // tried again with the next look
		}
		n.mu.Lock()
		delete(n.answer, key)
		n.mu.Unlock()
	}
}

// openAnswer takes only what is one: a certificate for serving does not come this way.
func (n *Node) openAnswer(e etcd.Entry) (acme.Item, error) {
	key := n.short(e.Key)
	plain, err := n.seal.open(key, e.Value)
	if err != nil {
		return acme.Item{}, err
	}
	var item acme.Item
	if json.Unmarshal(plain, &item) != nil || item.Kind != acme.Token && item.Kind != acme.ALPN || answerKey(item) != key ||
		strings.ContainsAny(item.Name, "/ ") {
		return acme.Item{}, errSealed
	}
	return item, nil
}
