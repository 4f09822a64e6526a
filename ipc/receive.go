package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// errShort is a packet of which descriptors are missing.
var errShort = errors.New("descriptors are missing")

// ShortError is the end of a message for whose descriptors this process had no room (RLIMIT_NOFILE). What came of them is closed, and
// the connection goes on: packets have bounds of their own.
type ShortError struct {
	Type Type
	Txn  uint32
}

func (e *ShortError) Error() string {
	return fmt.Sprintf("ipc: no room for the descriptors of %s", e.Type)
}

// Receive returns the next message; io.EOF when the peer is gone. A message of a type this build does not
// know is answered with Unknown and skipped. After a ShortError, or the end of ctx, the connection goes on; any other error
// ends its use.
func (c *Conn) Receive(ctx context.Context) (*Message, error) {
	stop := c.watch(ctx, c.file.SetReadDeadline)
	defer stop()
	for {
		h, data, err := c.readPacket(ctx)
		if errors.Is(err, errShort) {
			c.short, err = true, nil
		}
		if err == nil && h.flags&flagMore != 0 {
			continue
		}
		if err != nil && ctx.Err() != nil {
			return nil, err // the next Receive may go on with half a message
		}
		fds := c.takePending()
		if err != nil {
			closeAll(fds)
			return nil, err
		}
		if c.short {
			c.short = false
			closeAll(fds)
			return nil, &ShortError{Type: h.typ, Txn: h.txn}
		}
		m, err := decode(h, data, fds)
		if err != nil {
			closeAll(fds)
			return nil, err
		}
		m.PID = c.sender
		if m.Body == nil {
			m.Close()
			// Where even this finds no room, the peer is not waiting for an answer.
			_ = c.TrySend(h.txn, Unknown{Of: h.typ})
			continue
		}
		return m, nil
	}
}

// decode builds the message of its last packet and all its descriptors. On error the descriptors stay the caller's.
func decode(h header, data []byte, fds []int) (*Message, error) {
	m := &Message{Epoch: h.epoch, Txn: h.txn, fds: fds}
	if h.flags&flagBodyMemfd != 0 {
		first := len(fds) - int(h.nfds)
		if len(data) != 0 {
			return nil, fmt.Errorf("%w: body in the packet and in a descriptor", ErrMalformed)
		}
		var err error
		if data, err = ReadMemfd(fds[first], MaxBody); err != nil {
			return nil, err
		}
		unix.Close(fds[first])
		m.fds = append(fds[:first:first], fds[first+1:]...)
		fds[first] = -1 // closed: an error below must not close it again
	}
	var err error
	m.Body, err = decodeBody(h.typ, data)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// readPacket reads one packet and adds its descriptors to c.pending, verified against the announced count.
// The data is valid until the next call.
func (c *Conn) readPacket(ctx context.Context) (header, []byte, error) {
	var n, oobn, flags int
	var err error
	rerr := c.raw.Read(func(fd uintptr) bool {
		err = ignoringEINTR(func() (e error) {
			n, oobn, flags, _, e = unix.Recvmsg(int(fd), c.in, c.oob, unix.MSG_CMSG_CLOEXEC)
			return e
		})
		return err != unix.EAGAIN
	})
	if err := waitError(ctx, rerr, err); err != nil {
		return header{}, nil, err
	}
	var fds []int
	var rightsErr error
	fds, c.sender, rightsErr = ancillary(c.oob[:oobn])
	total := c.addPending(fds)
	if n == 0 && len(fds) == 0 {
		return header{}, nil, io.EOF
	}
	if rightsErr != nil {
		return header{}, nil, rightsErr
	}
	if flags&unix.MSG_TRUNC != 0 || n > maxPacketBytes {
		return header{}, nil, ErrTruncated
	}
	h, data, err := parseHeader(c.in[:n])
	if err != nil {
		return header{}, nil, err
	}
	// The kernel leaves descriptors out for which this process has no room; one too many for the buffer is the peer's doing.
	if flags&unix.MSG_CTRUNC != 0 && len(fds) < int(h.nfds) && int(h.nfds) <= MaxPacketFDs {
		return h, nil, errShort
	}
	if flags&unix.MSG_CTRUNC != 0 {
		return header{}, nil, ErrTruncated
	}
	if len(fds) != int(h.nfds) {
		return header{}, nil, fmt.Errorf("%w: %s came with %d of %d descriptors", ErrTruncated, h.typ, len(fds), h.nfds)
	}
	if c.noFDs && len(fds) > 0 || total > MaxMessageFDs {
		return header{}, nil, fmt.Errorf("%w: %s with %d descriptors", ErrMalformed, h.typ, total)
	}
	return h, data, nil
}

// ancillary returns the descriptors in a control message buffer, and the pid of the sender if it is there.
func ancillary(oob []byte) (fds []int, pid int, err error) {
	if len(oob) == 0 {
		return nil, 0, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: control message: %w", ErrMalformed, err)
	}
	for i := range msgs {
		if got, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			fds = append(fds, got...)
		} else if cred, err := unix.ParseUnixCredentials(&msgs[i]); err == nil {
			pid = int(cred.Pid)
		}
	}
	return fds, pid, nil
}
