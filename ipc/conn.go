package ipc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Conn is one end of a SOCK_SEQPACKET connection. Send may be called by several goroutines, Receive by one.
type Conn struct {
	file *os.File
	raw  syscall.RawConn

	writeMu sync.Mutex // guards the order of the packets of one message, and out
	out     []byte

	in     []byte // packet buffer, Receive's
	oob    []byte
	sender int  // pid of the last packet's, 0 without PassPID
	noFDs  bool // descriptors are refused (clients)
	short  bool // descriptors are missing of the message that is coming in, Receive's

	epoch atomic.Uint32 // goes into every header

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
	// One spare descriptor of room, so that a packet with too many is seen as such, and the sender's credentials.
	return &Conn{
		file: file, raw: raw,
		in:  make([]byte, maxPacketBytes+1),
		oob: make([]byte, unix.CmsgSpace((MaxPacketFDs+1)*4)+unix.CmsgSpace(unix.SizeofUcred)),
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

// TakeFDs undoes RefuseFDs, for a client or an acceptor whose peer turns out to be one that has descriptors to give. It is called
// before the first Receive.
func (c *Conn) TakeFDs() { c.noFDs = false }

// PassPID has the kernel tell the process that sent each message received from now on, in Message.PID.
func (c *Conn) PassPID() error {
	var err error
	cerr := c.raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	})
	if err = errors.Join(cerr, err); err != nil {
		return fmt.Errorf("ipc: SO_PASSCRED: %w", err)
	}
	return nil
}

// SetEpoch sets what goes into the header of everything sent from now on (doc.go, Framing).
func (c *Conn) SetEpoch(epoch uint32) { c.epoch.Store(epoch) }

// FD returns the descriptor of the socket for passing it on; it stays the Conn's.
func (c *Conn) FD() (int, error) {
	n := -1
	if err := c.raw.Control(func(fd uintptr) { n = int(fd) }); err != nil {
		return -1, fmt.Errorf("ipc: descriptor: %w", err)
	}
	return n, nil
}

// Send sends one message, with the descriptors that its slots name. It waits while the peer's queue is full,
// until ctx ends. After an error the message may be lost; nothing of it arrives partly.
func (c *Conn) Send(ctx context.Context, txn uint32, body Body, fds ...int) error {
	return c.send(ctx, true, header{typ: body.Type(), txn: txn}, body, fds)
}

// TrySend is Send that never waits: ErrFull when the peer's queue is full. A peer that far behind does not read
// any more; part of the message may have gone, so the connection is of no use afterwards.
func (c *Conn) TrySend(txn uint32, body Body, fds ...int) error {
	return c.send(context.Background(), false, header{typ: body.Type(), txn: txn}, body, fds)
}

func (c *Conn) send(ctx context.Context, wait bool, h header, body Body, fds []int) error {
	h.epoch = c.epoch.Load()
	data, err := json.Marshal(body)
	if err == nil && (len(data) > MaxBody || len(fds) > MaxMessageFDs) {
		err = fmt.Errorf("%w: %d bytes, %d descriptors", ErrTooLarge, len(data), len(fds))
	}
	if err == nil {
		err = c.sendPackets(ctx, wait, h, data, fds)
	}
	if err != nil {
		return fmt.Errorf("ipc: send %s: %w", h.typ, err)
	}
	return nil
}

func (c *Conn) sendPackets(ctx context.Context, wait bool, h header, data []byte, fds []int) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	stop := c.watch(ctx, c.file.SetWriteDeadline)
	defer stop()
	more := h
	more.flags = flagMore
	for len(fds) > MaxPacketFDs-1 { // one place is kept for a body memfd
		if err := c.writePacket(ctx, wait, more, nil, fds[:MaxPacketFDs-1]); err != nil {
			return err
		}
		fds = fds[MaxPacketFDs-1:]
	}
	if len(data) > MaxInline {
		fd, err := SealedMemfd("ipc-body", data)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		h.flags = flagBodyMemfd
		fds, data = append([]int{fd}, fds...), nil
	}
	return c.writePacket(ctx, wait, h, data, fds)
}

func (c *Conn) writePacket(ctx context.Context, wait bool, h header, data []byte, fds []int) error {
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
		return err != unix.EAGAIN || !wait
	})
	if err == unix.EAGAIN && !wait {
		return ErrFull
	}
	return waitError(ctx, werr, err)
}
