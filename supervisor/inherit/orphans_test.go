package inherit

import (
	"strings"
	"testing"
	"time"

	"pingap/ipc"
	"pingap/supervisor/state"
)

// shown is an orphan that holds ticket keys made of one letter.
func shown(t *testing.T, letter string, since time.Time, size int) *orphan {
	t.Helper()
	a, b, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	keys := ipc.TicketKeys{Since: since, Keys: []ipc.Secret{ipc.Secret(strings.Repeat(letter, size))}}
	if err := a.Send(t.Context(), 0, ipc.Orphan{Tickets: keys}); err != nil {
		t.Fatal(err)
	}
	m, err := b.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &orphan{conn: b, msg: m, body: m.Body.(*ipc.Orphan)}
}

func TestTheNewestTicketKeysOfOrphansCount(t *testing.T) {
	now := time.Now()
	in := Empty()
	in.State = &state.State{}
	in.take(1, shown(t, "b", now, ipc.TicketKeySize))
	in.take(2, shown(t, "a", now.Add(-time.Hour), ipc.TicketKeySize))
	in.take(3, shown(t, "c", now.Add(time.Hour), ipc.TicketKeySize-1)) // makes no sense
	in.take(4, shown(t, "d", time.Time{}, 0))                          // of a build without keys
	if got := in.Tickets.Keys; len(got) != 1 || got[0][0] != 'b' {
		t.Errorf("%d keys, not the newest", len(got))
	}
}
