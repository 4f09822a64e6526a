package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maxFile bounds what is read: a chain and a key are some KiB, the state of a thousand certificates some hundred.
const maxFile = 16 << 20

// ErrDamaged is wrapped by errors about a file that cannot be what was written.
var ErrDamaged = errors.New("damaged")

// Store is a folder. Everything goes through its descriptor, so that a process that gave up root can go on using it.
type Store struct {
	dir *os.Root
}

// Open takes over a folder that the caller has opened.
func Open(dir *os.Root) *Store { return &Store{dir: dir} }

// Make opens a folder, made where it was missing, and closes it to others.
func Make(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if err := root.Chmod(".", 0o700); err != nil {
		root.Close()
		return nil, err
	}
	return Open(root), nil
}

// Close closes the folder.
func (s *Store) Close() error { return s.dir.Close() }

// Read decodes a file. One that is missing is fs.ErrNotExist, one that is not what was written ErrDamaged.
func (s *Store) Read(name string, into any) error {
	// O_NONBLOCK: a fifo in the place of a file must not be waited for.
	f, err := s.dir.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return fmt.Errorf("%s: %w: not a file of ours", name, ErrDamaged)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		// The decoder's text may quote what is in the file, which is secret.
		return fmt.Errorf("%s: %w: not the JSON that was written", name, ErrDamaged)
	}
	return nil
}

// Write replaces a file: under another name, synced, renamed, and the folder synced.
func (s *Store) Write(name string, value any) error {
	data, err := json.MarshalIndent(value, "", "\t")
	if err != nil {
		return err
	}
	folder := path.Dir(name)
	if folder != "." {
		if err := s.dir.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	temporary := name + ".new"
	if err := s.dir.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.put(temporary, append(data, '\n')); err != nil {
		_ = s.dir.Remove(temporary) // what is left of it is removed the next time
		return err
	}
	if err := s.dir.Rename(temporary, name); err != nil {
		return err
	}
	return s.settle(folder)
}

func (s *Store) put(name string, data []byte) error {
	f, err := s.dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// settle makes names in a folder last.
func (s *Store) settle(folder string) error {
	f, err := s.dir.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Names lists the files of a folder that end in .json; a folder that is missing has none.
func (s *Store) Names(folder string) ([]string, error) {
	entries, err := fs.ReadDir(s.dir.FS(), folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".json") {
			names = append(names, path.Join(folder, e.Name()))
		}
	}
	return names, nil
}

// Remove removes a file.
func (s *Store) Remove(name string) error { return s.dir.Remove(name) }

// SetAside keeps a damaged file under another name, so that somebody can look at it.
func (s *Store) SetAside(name string) error { return s.dir.Rename(name, name+".damaged") }

// SetOwn keeps a file of this node under another name, before that of all nodes takes its place.
func (s *Store) SetOwn(name string) error { return s.dir.Rename(name, name+".own") }

// lockEvery is the time between two tries to get the lock: the kernel has no way to wait for one and for something else.
const lockEvery = 200 * time.Millisecond

// Lock waits until this process alone works with the folder. first says that nobody else had it.
func (s *Store) Lock(ctx context.Context) (unlock func() error, first bool, err error) {
	f, err := s.dir.OpenFile("lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, err
	}
	for first = true; ; first = false {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f.Close, first, nil // closing gives it up
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, false, errors.Join(fmt.Errorf("lock: %w", err), f.Close())
		}
		t := time.NewTimer(lockEvery)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil, false, errors.Join(ctx.Err(), f.Close())
		case <-t.C:
		}
	}
}
