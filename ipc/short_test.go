package ipc

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// A process that is out of descriptors loses a message, not the connection.
func TestNoRoomForDescriptorsIsNoEnd(t *testing.T) {
	for _, count := range []int{3, MaxPacketFDs + 5} { // in one packet, and in two
		a, b, _ := pair(t)
		var fds FDs
		for range count {
			fds.Add(0)
		}
		if err := a.Send(t.Context(), 7, Prepare{SHA: "x"}, fds...); err != nil {
			t.Fatal(err)
		}
		if err := a.Send(t.Context(), 8, Commit{}); err != nil {
			t.Fatal(err)
		}
		restore := noDescriptors(t, 1)
		_, err := b.Receive(t.Context())
		restore()
		var short *ShortError
		if !errors.As(err, &short) || short.Txn != 7 || short.Type != TypePrepare {
			t.Fatalf("%d descriptors: %v", count, err)
		}
		m, err := b.Receive(t.Context())
		if err != nil || m.Txn != 8 {
			t.Fatalf("%d descriptors: then %+v, %v", count, m, err)
		}
	}
}

// noDescriptors leaves room for so many descriptors, until restore.
func noDescriptors(t *testing.T, left int) (restore func()) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	next, err := unix.Dup(0) // the lowest that is free
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(next)
	low := limit
	low.Cur = uint64(next + left)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
	}
}
