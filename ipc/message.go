package ipc

import (
	"encoding/json"
	"fmt"

	"golang.org/x/sys/unix"
)

// FDs collects the descriptors to send with a message: l.FD = fds.Add(fd); conn.Send(ctx, txn, body, fds...).
// The descriptors stay the caller's; the kernel duplicates them.
type FDs []int

// Add appends a descriptor and returns its place.
func (f *FDs) Add(fd int) Slot {
	*f = append(*f, fd)
	return Slot(len(*f))
}

// Message is what was received. Its descriptors are owned by it until taken: Close what Take left.
type Message struct {
	Epoch uint32
	Txn   uint32
	Body  Body // pointer to the struct of its type: switch b := m.Body.(type) { case *ipc.Start: }
	PID   int  // of the process that sent it, by the kernel's word; 0 without Conn.PassPID

	fds []int // -1 where taken
}

// Take hands the descriptor at s over to the caller, who closes it. All received descriptors are CLOEXEC.
func (m *Message) Take(s Slot) (int, error) {
	if s < 1 || int(s) > len(m.fds) || m.fds[s-1] < 0 {
		return -1, fmt.Errorf("%w: %s has no descriptor %d of %d", ErrMalformed, m.Body.Type(), s, len(m.fds))
	}
	fd := m.fds[s-1]
	m.fds[s-1] = -1
	return fd, nil
}

// Close closes the descriptors that nobody took. It may be called more than once.
func (m *Message) Close() {
	closeAll(m.fds)
	m.fds = nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// decodeBody turns the bytes of a known type into its struct; nil for an unknown type.
func decodeBody(t Type, data []byte) (Body, error) {
	body := newBody(t)
	if body == nil {
		return nil, nil
	}
	if err := json.Unmarshal(data, body); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMalformed, t, err)
	}
	return body, nil
}
