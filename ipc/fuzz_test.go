package ipc

import (
	"encoding/json"
	"os"
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
