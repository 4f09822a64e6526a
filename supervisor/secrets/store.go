package secrets

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"time"

	"pingap/ipc"
)

// maxKind bounds the name of a kind, in bytes.
const maxKind = 64

// id names an item.
type id struct{ kind, key string }

// Store belongs to one goroutine.
type Store struct {
	// tickets holds the key that encrypts, the one that will be next, and the one that was before. The next is known everywhere
	// half a day before it is used: at no moment one worker makes tickets that another cannot read.
	tickets ipc.TicketKeys
	items   map[id]ipc.StateItem
	bytes   int // of all items
}

// New returns a store with keys that nobody else has.
func New(now time.Time) *Store {
	return &Store{tickets: ipc.TicketKeys{Since: now, Keys: []ipc.Secret{newKey(), newKey()}}, items: map[id]ipc.StateItem{}}
}

// With returns a store that goes on with keys that workers have, if they are any.
func With(keys ipc.TicketKeys, now time.Time) *Store {
	s := New(now)
	if keys.Valid() {
		s.tickets = keys
	}
	if s.tickets.Since.After(now) { // a clock that was set back, or a worker's fancy: it must not stop the rotation
		s.tickets.Since = now
	}
	return s
}

func newKey() ipc.Secret {
	key := make(ipc.Secret, ipc.TicketKeySize)
	rand.Read(key) // never fails
	return key
}

// Tickets returns the keys, the one that encrypts first.
func (s *Store) Tickets() ipc.TicketKeys { return s.tickets }

// Due is how long the present key may be used still, 0 for no longer.
func (s *Store) Due(now time.Time, life time.Duration) time.Duration {
	return min(max(0, life-now.Sub(s.tickets.Since)), life)
}

// Rotate makes the next key the one that encrypts.
func (s *Store) Rotate(now time.Time) {
	old, next := s.tickets.Keys[0], newKey()
	if len(s.tickets.Keys) > 1 {
		next = s.tickets.Keys[1]
	}
	s.tickets = ipc.TicketKeys{Since: now, Keys: []ipc.Secret{next, newKey(), old}}
}

// Change enters and forgets items, or changes nothing and says why. What has expired is forgotten on the way.
func (s *Store) Change(b *ipc.State, now time.Time) error {
	next := map[id]ipc.StateItem{}
	if !b.All {
		next = maps.Clone(s.items)
	}
	for _, i := range b.Items {
		if i.Kind == "" || len(i.Kind) > maxKind || i.Key == "" || len(i.Key) > ipc.MaxStateKey || len(i.Body) > ipc.MaxStateBody {
			return fmt.Errorf("an item of a kind of %d, a key of %d and a body of %d bytes", len(i.Kind), len(i.Key), len(i.Body))
		}
		if i.Gone {
			delete(next, id{i.Kind, i.Key})
			continue
		}
		next[id{i.Kind, i.Key}] = i
	}
	bytes := 0
	for k, i := range next {
		if !i.Expires.IsZero() && !i.Expires.After(now) {
			delete(next, k)
			continue
		}
		bytes += i.Size()
	}
	if len(next) > ipc.MaxStateItems || bytes > ipc.MaxStateBytes {
		return fmt.Errorf("%d items of %d bytes, at most %d of %d", len(next), bytes, ipc.MaxStateItems, ipc.MaxStateBytes)
	}
	s.items, s.bytes = next, bytes
	return nil
}

// Len is the number of items.
func (s *Store) Len() int { return len(s.items) }

// Messages are everything for a worker that knows nothing, or something older. None where there are no items.
func (s *Store) Messages() []ipc.State {
	items := slices.SortedFunc(maps.Values(s.items), func(a, b ipc.StateItem) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
	})
	if len(items) == 0 {
		return nil
	}
	var all []ipc.State
	for len(items) > 0 {
		n, size := 1, items[0].Size()
		for n < len(items) && size+items[n].Size() <= ipc.MaxStateMessage {
			size += items[n].Size()
			n++
		}
		all = append(all, ipc.State{Items: items[:n:n]})
		items = items[n:]
	}
	all[0].All = true
	return all
}
