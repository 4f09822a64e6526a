package ipc

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzDecode feeds whole packets, with a descriptor where one is announced: no panic, no body over its limit,
// and what decodes can be encoded and decoded again.
func FuzzDecode(f *testing.F) {
	for typ := range known {
		body, err := json.Marshal(newBody(typ))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(header{typ: typ, txn: 1}.append(nil), body...))
		f.Add(append(header{typ: typ, nfds: 1, flags: flagBodyMemfd}.append(nil), body...))
	}
	f.Add([]byte{})
	f.Add(header{typ: 9999}.append(nil))
	f.Fuzz(func(t *testing.T, packet []byte) {
		h, data, err := parseHeader(packet)
		if err != nil {
			return
		}
		fds := make([]int, h.nfds)
		for i := range fds {
			if fds[i], err = SealedMemfd("fuzz", []byte(`{"sha":"x"}`)); err != nil {
				t.Fatal(err)
			}
		}
		m, err := decode(h, data, fds)
		if err != nil {
			closeAll(fds)
			return
		}
		defer m.Close()
		if m.Body == nil {
			return
		}
		again, err := json.Marshal(m.Body)
		if err != nil {
			t.Fatalf("%s decoded but does not encode: %v", h.typ, err)
		}
		if _, err := decodeBody(h.typ, again); err != nil {
			t.Fatalf("%s does not survive: %v", h.typ, err)
		}
	})
}

// TestSlotsNeverReachOutsideTheMessage: a body may name any slot, only its own descriptors come out.
func TestSlotsNeverReachOutsideTheMessage(t *testing.T) {
	fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	m := &Message{Body: &Start{}, fds: []int{fd}}
	defer m.Close()
	for _, s := range []Slot{-1 << 62, -1, 0, 2, 1 << 62} {
		if got, err := m.Take(s); err == nil {
			t.Errorf("slot %d gave %d", s, got)
		}
	}
	if got, err := m.Take(1); err != nil || got != fd {
		t.Errorf("slot 1 gave %d, %v", got, err)
	}
	unix.Close(fd)
}

// FuzzItems feeds what a worker may bring back: no panic, nothing over the bounds, and what is read is read again from its own file.
func FuzzItems(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"kind":"endpoints","key":"u@1","body":"e30="}{"kind":"k"}`, `[]`, `{"body":7}`, "null\nnull", "{"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		items, err := parseItems(data)
		if err != nil {
			return
		}
		fd, err := SealItems(items)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if again, err := ReadItems(fd); err != nil || len(again) != len(items) {
			t.Fatalf("%d items, then %d, %v", len(items), len(again), err)
		}
	})
}

func TestItemsHaveBounds(t *testing.T) {
	big := StateItem{Kind: "k", Body: make(Secret, MaxStateBody)}
	for name, data := range map[string][]byte{
		"many": bytes.Repeat([]byte("{}"), MaxStateItems+1),
		"long": bytes.Repeat(mustJSON(t, big), MaxStateBytes/MaxStateBody+1),
		"text": []byte(`{"body":"tellnobody"}x`),
	} {
		if _, err := parseItems(data); err == nil || strings.Contains(err.Error(), "tell") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if items, err := parseItems(bytes.Repeat([]byte("{}"), MaxStateItems)); err != nil || len(items) != MaxStateItems {
		t.Errorf("%d items, %v", len(items), err)
	}
	fd, err := unix.MemfdCreate("open", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := ReadItems(fd); err == nil {
		t.Error("a file that can be changed still")
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
