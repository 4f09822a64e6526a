package ipc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unknownReplyTimeout bounds the answer to an unknown message when the peer does not read.
const unknownReplyTimeout = time.Second

// Conn is one end of a SOCK_SEQPACKET connection. Send may be called by several goroutines, Receive by one.
type Conn struct {
	file *os.File
	raw  syscall.RawConn

	writeMu sync.Mutex // guards the order of the packets of one message, and out
	out     []byte

	in    []byte // packet buffer, Receive's
	oob   []byte
	noFDs bool // descriptors are refused (clients)

	pendingMu sync.Mutex // guards pending, which Close must not leak
	pending   []int      // descriptors of flagMore packets, waiting for their message
}

// Pair returns two connected ends. Give the second to a child: exec.Cmd.ExtraFiles = []*os.File{b.File()}.
func Pair() (*Conn, *Conn, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	a, err := FromFD(fds[0])
	if err != nil {
		unix.Close(fds[1])
		return nil, nil, err
	}
	b, err := FromFD(fds[1])
	if err != nil {
		a.Close()
		return nil, nil, err
	}
	return a, b, nil
}

// FromFD takes over a connected SOCK_SEQPACKET socket, such as descriptor 3 of a child. It is closed on error.
func FromFD(fd int) (*Conn, error) {
	if err := prepare(fd); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("ipc: descriptor %d: %w", fd, err)
	}
	file := os.NewFile(uintptr(fd), "ipc")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("ipc: descriptor %d: %w", fd, err)
	}
	// One spare descriptor of room, so that a packet with too many is seen as such.
	return &Conn{
		file: file, raw: raw,
		in:  make([]byte, maxPacketBytes+1),
		oob: make([]byte, unix.CmsgSpace((MaxPacketFDs+1)*4)),
	}, nil
}

// prepare checks that fd is a SEQPACKET socket and makes it fit for Go's poller.
func prepare(fd int) error {
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return err
	}
	if typ != unix.SOCK_SEQPACKET {
		return fmt.Errorf("socket type %d, want SOCK_SEQPACKET", typ)
	}
	unix.CloseOnExec(fd)
	return unix.SetNonblock(fd, true)
}

// File returns the socket for handing it to a child; it stays the Conn's.
func (c *Conn) File() *os.File { return c.file }

// Close ends the connection; the peer reads EOF, a Receive under way returns an error.
func (c *Conn) Close() error {
	err := c.file.Close()
	closeAll(c.takePending())
	return err
}

func (c *Conn) takePending() []int {
	c.pendingMu.Lock()
	defer c.pendingMu.Unlock()
	fds := c.pending
	c.pending = nil
	return fds
}

func (c *Conn) addPending(fds []int) (total int) {
	c.pendingMu.Lock()
	defer c.pendingMu.Unlock()
	c.pending = append(c.pending, fds...)
	return len(c.pending)
}

// RefuseFDs makes Receive fail on any descriptor, for peers that have none to give.
func (c *Conn) RefuseFDs() { c.noFDs = true }

// Peer returns who is at the other end, as the kernel saw it when the connection was made.
func (c *Conn) Peer() (pid, uid, gid int, err error) {
	var cred *unix.Ucred
	cerr := c.raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(cerr, err); err != nil {
		return 0, 0, 0, fmt.Errorf("ipc: peer: %w", err)
	}
	return int(cred.Pid), int(cred.Uid), int(cred.Gid), nil
}

// Send sends one message, with the descriptors that its slots name. It waits while the peer's queue is full,
// until ctx ends. After an error the message may be lost; nothing of it arrives partly.
func (c *Conn) Send(ctx context.Context, txn uint32, body Body, fds ...int) error {
	return c.SendEpoch(ctx, 0, txn, body, fds...)
}

// SendEpoch is Send with the supervisor's epoch in the header.
func (c *Conn) SendEpoch(ctx context.Context, epoch, txn uint32, body Body, fds ...int) error {
	err := c.send(ctx, header{typ: body.Type(), epoch: epoch, txn: txn}, body, fds)
	if err != nil {
		return fmt.Errorf("ipc: send %s: %w", body.Type(), err)
	}
	return nil
}

func (c *Conn) send(ctx context.Context, h header, body Body, fds []int) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if len(data) > MaxBody || len(fds) > MaxMessageFDs {
		return fmt.Errorf("%w: %d bytes, %d descriptors", ErrTooLarge, len(data), len(fds))
	}
	last := fds
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	stop := c.watch(ctx, c.file.SetWriteDeadline)
	defer stop()
	for len(last) > MaxPacketFDs-1 { // one place is kept for a body memfd
		more := header{flags: flagMore, typ: h.typ, epoch: h.epoch, txn: h.txn}
		if err := c.writePacket(ctx, more, nil, last[:MaxPacketFDs-1]); err != nil {
			return err
		}
		last = last[MaxPacketFDs-1:]
	}
	if len(data) > MaxInline {
		fd, err := SealedMemfd("ipc-body", data)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		h.flags |= flagBodyMemfd
		last, data = append([]int{fd}, last...), nil
	}
	return c.writePacket(ctx, h, data, last)
}

func (c *Conn) writePacket(ctx context.Context, h header, data []byte, fds []int) error {
	h.nfds = uint16(len(fds))
	c.out = append(h.append(c.out[:0]), data...)
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	var err error
	werr := c.raw.Write(func(fd uintptr) bool {
		err = ignoringEINTR(func() error {
			return unix.Sendmsg(int(fd), c.out, oob, nil, unix.MSG_NOSIGNAL)
		})
		return err != unix.EAGAIN
	})
	return waitError(ctx, werr, err)
}

// Receive returns the next message; io.EOF when the peer is gone. A message of a type this build does not
// know is answered with Unknown and skipped. Any other error ends the use of the connection, except that of ctx.
func (c *Conn) Receive(ctx context.Context) (*Message, error) {
	stop := c.watch(ctx, c.file.SetReadDeadline)
	defer stop()
	for {
		h, data, err := c.readPacket(ctx)
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
		m, err := decode(h, data, fds)
		if err != nil {
			closeAll(fds)
			return nil, err
		}
		if m.Body == nil {
			m.Close()
			c.answerUnknown(ctx, h)
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

func (c *Conn) answerUnknown(ctx context.Context, h header) {
	ctx, cancel := context.WithTimeout(ctx, unknownReplyTimeout)
	defer cancel()
	// A peer that does not read its answers will be noticed by whoever waits for its heartbeat.
	_ = c.SendEpoch(ctx, h.epoch, h.txn, Unknown{Of: h.typ})
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
	fds, rightsErr := rights(c.oob[:oobn])
	total := c.addPending(fds)
	if n == 0 && len(fds) == 0 {
		return header{}, nil, io.EOF
	}
	if rightsErr != nil {
		return header{}, nil, rightsErr
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		return header{}, nil, ErrTruncated
	}
	h, data, err := parseHeader(c.in[:n])
	if err != nil {
		return header{}, nil, err
	}
	if len(fds) != int(h.nfds) {
		return header{}, nil, fmt.Errorf("%w: %s came with %d of %d descriptors", ErrTruncated, h.typ, len(fds), h.nfds)
	}
	if c.noFDs && len(fds) > 0 || total > MaxMessageFDs {
		return header{}, nil, fmt.Errorf("%w: %s with %d descriptors", ErrMalformed, h.typ, total)
	}
	return h, data, nil
}

// rights returns the descriptors in a control message buffer.
func rights(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("%w: control message: %w", ErrMalformed, err)
	}
	var fds []int
	for i := range msgs {
		if got, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return fds, nil
}
