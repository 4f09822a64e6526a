package secrets

import (
	"cmp"
	"crypto/rand"
	"fmt"
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
	bytes   int       // of all items
	number  uint64    // of the last change; the next supervisor sees by it which of its orphans was told last
	soonest time.Time // nothing expires before; zero for never
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

// Change enters and forgets items, or changes nothing and says why. What has expired is forgotten first. It costs what is named, not what
// is there, but where it replaces all of something: backends change all the time.
func (s *Store) Change(b *ipc.State, now time.Time) error {
	s.expire(now)
	named := make(map[id]*ipc.StateItem, len(b.Items)) // the last of each; nil to forget
	for n := range b.Items {
		i := &b.Items[n]
		if i.Kind == "" || len(i.Kind) > maxKind || i.Key == "" || len(i.Key) > ipc.MaxStateKey || len(i.Body) > ipc.MaxStateBody {
			return fmt.Errorf("an item of a kind of %d, a key of %d and a body of %d bytes", len(i.Kind), len(i.Key), len(i.Body))
		}
		if i.Gone || !i.Expires.IsZero() && !i.Expires.After(now) {
			named[id{i.Kind, i.Key}] = nil
			continue
		}
		named[id{i.Kind, i.Key}] = i
	}
	if b.All {
		for k := range s.items {
			if _, ok := named[k]; !ok && b.Replaces(k.kind) {
				named[k] = nil
			}
		}
	}
	count, bytes := len(s.items), s.bytes
	for k, i := range named {
		if old, ok := s.items[k]; ok {
			count, bytes = count-1, bytes-old.Size()
		}
		if i != nil {
			count, bytes = count+1, bytes+i.Size()
		}
	}
	if count > ipc.MaxStateItems || bytes > ipc.MaxStateBytes {
		return fmt.Errorf("%d items of %d bytes, at most %d of %d", count, bytes, ipc.MaxStateItems, ipc.MaxStateBytes)
	}
	for k, i := range named {
		s.enter(k, i)
	}
	s.bytes = bytes
	s.number++
	return nil
}

// enter puts an item in its place, or with nil forgets it.
func (s *Store) enter(k id, i *ipc.StateItem) {
	if i == nil {
		delete(s.items, k)
		return
	}
	s.items[k] = *i
	s.expects(i.Expires)
}

// expects notes when something expires.
func (s *Store) expects(end time.Time) {
	if !end.IsZero() && (s.soonest.IsZero() || end.Before(s.soonest)) {
		s.soonest = end
	}
}

// expire forgets what is worth nothing any more.
func (s *Store) expire(now time.Time) {
	if s.soonest.IsZero() || s.soonest.After(now) {
		return
	}
	s.soonest = time.Time{}
	for k, i := range s.items {
		if !i.Expires.IsZero() && !i.Expires.After(now) {
			s.bytes -= i.Size()
			delete(s.items, k)
			continue
		}
		s.expects(i.Expires)
	}
}

// Len is the number of items.
func (s *Store) Len() int { return len(s.items) }

// Messages are everything for a worker that knows nothing, or something older of these kinds; none is every kind. None where there are no
// items for workers. Only the last has a number: before it, a worker knows less than others.
func (s *Store) Messages(kinds ...string) []ipc.State {
	items := s.sorted(func(i *ipc.StateItem) bool { return !i.Private })
	var all []ipc.State
	for len(items) > 0 {
		n := first(items)
		all = append(all, ipc.State{Items: items[:n:n]})
		items = items[n:]
	}
	if len(all) > 0 {
		all[0].All, all[0].Kinds = true, kinds
		all[len(all)-1].Number = s.number
	}
	return all
}

// Part are the items of a kind with keys after one, as many as one message carries.
func (s *Store) Part(kind, after string) ipc.State {
	items := s.sorted(func(i *ipc.StateItem) bool { return i.Kind == kind && i.Key > after })
	n := first(items)
	return ipc.State{Items: items[:n:n], More: n < len(items)}
}

// sorted lists items by kind and key.
func (s *Store) sorted(wanted func(*ipc.StateItem) bool) []ipc.StateItem {
	var items []ipc.StateItem
	for _, i := range s.items {
		if wanted(&i) {
			items = append(items, i)
		}
	}
	slices.SortFunc(items, func(a, b ipc.StateItem) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key)) })
	return items
}

// first is how many of the first items go into one message.
func first(items []ipc.StateItem) int {
	n, size := 0, 0
	for n < len(items) && (n == 0 || size+items[n].Size() <= ipc.MaxStateMessage) {
		size += items[n].Size()
		n++
	}
	return n
}

// ForWorkers is what workers are told of the change that was entered last; false for nothing.
func (s *Store) ForWorkers(b *ipc.State) (ipc.State, bool) {
	told := *b
	told.Number = s.number
	told.Items = slices.DeleteFunc(slices.Clone(b.Items), func(i ipc.StateItem) bool { return i.Private })
	return told, b.All || len(told.Items) > 0
}
