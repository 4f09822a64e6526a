package secrets

import (
	"fmt"
	"time"

	"pingap/ipc"
)

// MaxNumber bounds the number of a change that a worker brings back, so that counting goes on from there for ever.
const MaxNumber = 1 << 60

// TakenBack are the kinds of items that workers bring back. Of all others control has what it needs to tell them again, and it alone is
// believed.
func TakenBack() []string { return []string{ipc.StateEndpoints} }

// TakeBack enters what a worker has kept of the supervisor before, in a store that has no items yet. The descriptor stays open.
func (s *Store) TakeBack(fd int, number uint64, now time.Time) error {
	s.number = max(s.number, number) // also where the rest makes no sense: what is told from now on is newer
	items, err := ipc.ReadItems(fd)
	if err != nil {
		return err
	}
	for _, i := range items {
		if i.Kind != ipc.StateEndpoints || i.Private || i.Gone || !i.Expires.IsZero() {
			return fmt.Errorf("an item of a kind of %d bytes that workers are not asked for", len(i.Kind))
		}
	}
	return s.Change(&ipc.State{Items: items}, now)
}
