package history

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	keyName = "versions.key"
	keySize = 32
)

// readKey returns the key of the state directory, made where it was missing. A key that others could have read or written
// is worth nothing, and refused.
func readKey(state *os.Root) ([]byte, error) {
	f, err := state.OpenFile(keyName, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return makeKey(state)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || int(owner.Uid) != os.Geteuid() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: expected a file of uid %d that is closed to all others", keyName, os.Geteuid())
	}
	key := make([]byte, keySize)
	if _, err := io.ReadFull(f, key); err != nil {
		return nil, fmt.Errorf("%s: %w", keyName, err)
	}
	return key, nil
}

func makeKey(state *os.Root) ([]byte, error) {
	key := make([]byte, keySize)
	rand.Read(key) // never fails
	return key, write(state, keyName, key)
}

// write makes a file appear whole, or not at all, and stay.
func write(dir *os.Root, name string, parts ...[]byte) error {
	const temporary = ".new"
	if err := dir.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := dir.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if err == nil {
			_, err = f.Write(part)
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = dir.Rename(temporary, name)
	}
	if err != nil {
		_ = dir.Remove(temporary) // what is left of it is removed the next time
		return err
	}
	return settle(dir)
}

// settle makes names in a folder last.
func settle(dir *os.Root) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
