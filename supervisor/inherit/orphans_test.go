package inherit

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/secrets"
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
	return sent(t, a, b, ipc.Orphan{Tickets: keys})
}

// sent is an orphan that has shown this.
func sent(t *testing.T, a, b *ipc.Conn, body ipc.Orphan, fds ...int) *orphan {
	t.Helper()
	b.TakeFDs()
	if err := a.Send(t.Context(), 0, body, fds...); err != nil {
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

func TestWhatOrphansWereToldIsInTheOrderOfItsNumbers(t *testing.T) {
	in := Empty()
	in.State = &state.State{}
	for n, o := range []struct {
		number uint64
		state  string
	}{{5, ipc.StateDraining}, {7, ipc.StateActive}, {5, ipc.StateActive}, {math.MaxUint64, ipc.StateDraining}, {secrets.MaxNumber, ipc.StateActive}, {0, ipc.StateActive}} {
		a, b, err := ipc.Pair()
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		defer b.Close()
		fd, err := ipc.SealItems([]ipc.StateItem{{Key: strconv.Itoa(n)}})
		if err != nil {
			t.Fatal(err)
		}
		var fds ipc.FDs
		in.take(n, sent(t, a, b, ipc.Orphan{Status: ipc.Status{State: o.state}, Items: fds.Add(fd), Number: o.number}, fds...))
		unix.Close(fd)
	}
	got := ""
	for _, told := range in.Told {
		items, err := ipc.ReadItems(told.FD)
		if err != nil {
			t.Fatal(err)
		}
		got += items[0].Key
		unix.Close(told.FD)
	}
	if got != "431205" {
		t.Errorf("in the order %s", got)
	}
}
