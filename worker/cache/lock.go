package cache

import (
	"encoding/binary"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// locks are bytes of one file, one for each key, which processes lock (open file description locks): the kernel frees those of a process that dies.
type locks struct{ file *os.File }

// Bytes that are no key's.
const (
	lockSweep int64 = iota
	lockSpool
	lockUsage
	lockKeys
)

// lockPoll is how often a lock that another process has is tried. The kernel tells nobody when it is free, unless a thread waits for each.
const lockPoll = 5 * time.Millisecond

// lock is a byte that this process has locked.
type lock struct {
	locks *locks
	at    int64
}

func lockOf(k Key) int64 {
	return lockKeys + int64(binary.BigEndian.Uint64(k[:])>>2)
}

// try locks a byte, if no other process has it; nil where one has.
func (l *locks) try(at int64) (*lock, error) {
	err := l.set(unix.F_OFD_SETLK, unix.F_WRLCK, at)
	switch {
	case err == nil:
		return &lock{l, at}, nil
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		return nil, nil
	}
	return nil, err
}

// wait locks a byte that nobody has for long.
func (l *locks) wait(at int64) (*lock, error) {
	if err := l.set(unix.F_OFD_SETLKW, unix.F_WRLCK, at); err != nil {
		return nil, err
	}
	return &lock{l, at}, nil
}

func (l *locks) set(cmd int, kind int16, at int64) error {
	for {
		err := unix.FcntlFlock(l.file.Fd(), cmd, &unix.Flock_t{Type: kind, Start: at, Len: 1})
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// release frees the byte. A lock that is not there is released at once.
func (l *lock) release() {
	if l != nil {
		_ = l.locks.set(unix.F_OFD_SETLK, unix.F_UNLCK, l.at) // cannot fail for a byte that is ours
	}
}

// LockAll has the leader of a flight wait until no other process has one with its key; at most limit, then it goes on anyhow. It reports whether
// it had to wait: then the store may have what it wants.
func (c *Cache) LockAll(f *Flight, limit time.Duration) (waited bool) {
	if c.files == nil || limit <= 0 {
		return false
	}
	end := time.Now().Add(limit)
	for {
		got, err := c.files.locks.try(lockOf(f.key))
		if got != nil || err != nil {
			f.lock = got
			return waited
		}
		left := time.Until(end)
		if left <= 0 {
			return true
		}
		waited = true
		time.Sleep(min(lockPoll, left))
	}
}
