package secrets

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

func item(key, body string) ipc.StateItem {
	return ipc.StateItem{Kind: "k", Key: key, Body: ipc.Secret(body)}
}

func TestKeysAreRandomAndRotateThroughThreePlaces(t *testing.T) {
	now := time.Now()
	s := New(now)
	first := s.Tickets()
	if !first.Valid() || bytes.Equal(first.Keys[0], first.Keys[1]) || bytes.Equal(first.Keys[0], New(now).Tickets().Keys[0]) {
		t.Fatal("keys are not random")
	}
	s.Rotate(now.Add(12 * time.Hour))
	second := s.Tickets()
	if !bytes.Equal(second.Keys[0], first.Keys[1]) || !bytes.Equal(second.Keys[2], first.Keys[0]) || !second.Valid() {
		t.Error("the next key is not the one that was announced, or the last is forgotten")
	}
	s.Rotate(now.Add(24 * time.Hour))
	for _, k := range s.Tickets().Keys {
		if bytes.Equal(k, first.Keys[0]) {
			t.Error("a key is known after its time")
		}
	}
}

func TestTheTimeOfAKeyGoesOnOverARestart(t *testing.T) {
	now := time.Now()
	s := New(now.Add(-11 * time.Hour))
	if got := s.Due(now, 12*time.Hour); got != time.Hour {
		t.Errorf("due in %v", got)
	}
	if got := s.Due(now.Add(48*time.Hour), 12*time.Hour); got != 0 {
		t.Errorf("overdue: %v", got)
	}
	keys := s.Tickets()
	keys.Since = now.Add(1000 * time.Hour)
	if got := With(keys, now).Due(now, 12*time.Hour); got != 12*time.Hour {
		t.Errorf("a time in the future: due in %v", got)
	}
}

func TestKeysThatMakeNoSenseAreReplaced(t *testing.T) {
	for name, keys := range map[string]ipc.TicketKeys{
		"none":  {},
		"short": {Keys: []ipc.Secret{make(ipc.Secret, 16)}},
		"many":  {Keys: []ipc.Secret{make(ipc.Secret, 32), make(ipc.Secret, 32), make(ipc.Secret, 32), make(ipc.Secret, 32)}},
	} {
		got := With(keys, time.Now()).Tickets()
		if !got.Valid() || bytes.Equal(got.Keys[0], make([]byte, 32)) {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestTheMemoryFileHoldsEverything(t *testing.T) {
	now := time.Now()
	s := New(now)
	s.Rotate(now)
	soon := item("soon", "x")
	soon.Expires = now.Add(time.Minute)
	if err := s.Change(&ipc.State{Items: []ipc.StateItem{item("a", "1"), soon}}, now); err != nil {
		t.Fatal(err)
	}
	fd, err := s.Memfd()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, 0); err == nil {
		t.Fatal("it can be changed")
	}
	again, err := Open(fd, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(again.Messages()[0].Items[0].Key, len(again.items)) != "a1" { // and what has expired is forgotten
		t.Errorf("got %d items", len(again.items))
	}
	if again.number <= s.number {
		t.Errorf("changes are counted from %d on, before %d", again.number, s.number)
	}
	for i, k := range s.Tickets().Keys {
		if !bytes.Equal(k, again.Tickets().Keys[i]) {
			t.Errorf("key %d is another", i)
		}
	}
}

func TestAMemoryFileOfAnotherFormatIsRefused(t *testing.T) {
	for _, text := range []string{"", "{}", `{"format":2}`, `{"format":1,"tickets":{"keys":["dGVsbG5vYm9keQ=="]}}`, "tellnobody"} {
		fd, err := ipc.SealedMemfd("test", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(fd, time.Now()); err == nil || strings.Contains(err.Error(), "tell") {
			t.Errorf("%q: %v", text, err)
		}
		unix.Close(fd)
	}
}

func TestMessagesStayBelowTheirBoundAndTheFirstReplacesAll(t *testing.T) {
	s := New(time.Now())
	if len(s.Messages()) != 0 {
		t.Error("messages of nothing")
	}
	var items []ipc.StateItem
	for n := range 20 {
		items = append(items, item(fmt.Sprint(n), strings.Repeat("x", ipc.MaxStateBody-10)))
	}
	if err := s.Change(&ipc.State{Items: items}, time.Now()); err != nil {
		t.Fatal(err)
	}
	all, seen := s.Messages(), 0
	for n, m := range all {
		size := 0
		for _, i := range m.Items {
			size += i.Size()
		}
		seen += len(m.Items)
		if size > ipc.MaxStateMessage || m.All != (n == 0) || (m.Number == s.number) != (n == len(all)-1) {
			t.Errorf("message %d: %d bytes, all %t, number %d", n, size, m.All, m.Number)
		}
	}
	if seen != 20 || len(all) < 5 {
		t.Errorf("%d items in %d messages", seen, len(all))
	}
	if err := s.Change(&ipc.State{Items: append(items, item("a", strings.Repeat("x", ipc.MaxStateBody)), item("b", strings.Repeat("x", ipc.MaxStateBody)),
		item("c", strings.Repeat("x", ipc.MaxStateBody)), item("d", strings.Repeat("x", ipc.MaxStateBody)), item("e", strings.Repeat("x", ipc.MaxStateBody)))}, time.Now()); err == nil {
		t.Error("more bytes than there may be")
	}
}

func TestAChangeThatIsRefusedChangesNothing(t *testing.T) {
	now := time.Now()
	s := New(now)
	var items []ipc.StateItem
	for n := range ipc.MaxStateItems {
		items = append(items, item(fmt.Sprint(n), ""))
	}
	if err := s.Change(&ipc.State{Items: items}, now); err != nil {
		t.Fatal(err)
	}
	bytes := s.bytes
	gone := item("0", "")
	gone.Gone = true
	if err := s.Change(&ipc.State{Items: []ipc.StateItem{gone, item("a", "1"), item("b", "2")}}, now); err == nil {
		t.Error("one more than there may be")
	}
	if s.Len() != ipc.MaxStateItems || s.bytes != bytes {
		t.Errorf("%d items of %d bytes", s.Len(), s.bytes)
	}
	if err := s.Change(&ipc.State{Items: []ipc.StateItem{gone, item("a", "1"), item("a", "22")}}, now); err != nil || s.Len() != ipc.MaxStateItems {
		t.Errorf("%d items, %v", s.Len(), err)
	}
	if err := s.Change(&ipc.State{All: true, Kinds: []string{"other"}}, now); err != nil || s.Len() != ipc.MaxStateItems {
		t.Errorf("%d items after another kind was replaced, %v", s.Len(), err)
	}
	if err := s.Change(&ipc.State{All: true, Kinds: []string{"k"}}, now); err != nil || s.Len() != 0 || s.bytes != 0 {
		t.Errorf("%d items of %d bytes, %v", s.Len(), s.bytes, err)
	}
}

func TestWhatHasExpiredMakesRoom(t *testing.T) {
	now := time.Now()
	s := New(now)
	soon, late := item("soon", "x"), item("late", "x")
	soon.Expires, late.Expires = now.Add(time.Minute), now.Add(time.Hour)
	for _, step := range []struct {
		at   time.Duration
		want int
	}{{0, 3}, {59 * time.Second, 3}, {time.Minute, 2}, {2 * time.Hour, 1}, {3 * time.Hour, 1}} {
		if step.at == 0 {
			if err := s.Change(&ipc.State{Items: []ipc.StateItem{soon, late, item("ever", "x")}}, now); err != nil {
				t.Fatal(err)
			}
		} else if err := s.Change(&ipc.State{}, now.Add(step.at)); err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, i := range s.items {
			size += i.Size()
		}
		if s.Len() != step.want || s.bytes != size {
			t.Errorf("after %v: %d items of %d bytes, want %d of %d", step.at, s.Len(), s.bytes, step.want, size)
		}
	}
}

func TestItemsOfAKindAreReadInParts(t *testing.T) {
	now := time.Now()
	s := New(now)
	items := []ipc.StateItem{{Kind: "a", Key: "1"}, {Kind: "z", Key: "1"}}
	for n := range 15 {
		i := item(fmt.Sprintf("%02d", n), strings.Repeat("x", ipc.MaxStateBody-10))
		i.Private = n%2 == 0
		items = append(items, i)
	}
	if err := s.Change(&ipc.State{Items: items}, now); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for part := s.Part("k", ""); ; part = s.Part("k", keys[len(keys)-1]) {
		for _, i := range part.Items {
			keys = append(keys, i.Key)
		}
		if !part.More {
			break
		}
		if len(part.Items) == 0 || len(keys) > 15 {
			t.Fatalf("no end: %v", keys)
		}
	}
	if len(keys) != 15 || keys[0] != "00" || keys[14] != "14" {
		t.Errorf("got %v", keys)
	}
}

// BenchmarkAFloodOfBackends is what one of 100 changes in a second costs the supervisor's loop, with 1,000 items of ten backends.
func BenchmarkAFloodOfBackends(b *testing.B) {
	now := time.Now()
	s := New(now)
	var items []ipc.StateItem
	for n := range 1000 {
		items = append(items, item(fmt.Sprint(n), strings.Repeat("x", 1500)))
	}
	if err := s.Change(&ipc.State{Items: items}, now); err != nil {
		b.Fatal(err)
	}
	b.Run("change", func(b *testing.B) {
		for n := range b.N {
			if err := s.Change(&ipc.State{Items: items[n%1000 : n%1000+1]}, now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("save", func(b *testing.B) {
		for range b.N {
			fd, err := s.Memfd()
			if err != nil {
				b.Fatal(err)
			}
			unix.Close(fd)
		}
	})
}
