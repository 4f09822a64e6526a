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
		if size > ipc.MaxStateMessage || m.All != (n == 0) {
			t.Errorf("message %d: %d bytes, all %t", n, size, m.All)
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
