package history

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

const folder = "versions"

// maxNames bounds the names that are looked at in the folder: far more than it ever holds by itself.
const maxNames = 10_000

var (
	// ErrNotKept is returned for versions that are not there, or not any more.
	ErrNotKept = errors.New("is not kept")
	errClosed  = errors.New("the versions cannot be read: the state directory could not be opened")
)

// Store is the folder of kept versions. Several goroutines may use it. New makes one.
type Store struct {
	state string // path of the state directory
	log   *zap.Logger

	mu     sync.Mutex // guards what follows, and the folder against our own writes
	dir    *os.Root   // nil while it could not be opened
	key    []byte
	warned map[uint64]bool // versions that were called damaged
}

// New opens the store in a state directory. Where that fails the store is there all the same: it holds nothing, and each
// Add tries again.
func New(state string, log *zap.Logger) (*Store, error) {
	s := &Store{state: state, log: log, warned: map[uint64]bool{}}
	return s, s.prepare()
}

// Files opens the folder and the key of a state directory for Adopt; nil where they are not there, or may not be opened.
func Files(state string) []*os.File {
	dir, err := os.Open(filepath.Join(state, folder))
	if err != nil {
		return nil
	}
	key, err := os.Open(filepath.Join(state, keyName))
	if err != nil {
		dir.Close()
		return nil
	}
	return []*os.File{dir, key}
}

// Adopt makes the store of descriptors of its folder and its key, for a process that may not enter the state directory. It
// closes both.
func Adopt(dir, key *os.File, log *zap.Logger) (*Store, error) {
	defer dir.Close()
	defer key.Close()
	s := &Store{log: log, warned: map[uint64]bool{}}
	secret := make([]byte, keySize)
	if _, err := io.ReadFull(key, secret); err != nil {
		return s, fmt.Errorf("%s: %w", keyName, err)
	}
	raw, err := dir.SyscallConn()
	if err != nil {
		return s, fmt.Errorf("versions: %w", err)
	}
	cerr := raw.Control(func(fd uintptr) { s.dir, err = os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", fd)) })
	if err = errors.Join(cerr, err); err != nil {
		return s, fmt.Errorf("versions: %w", err)
	}
	s.key = secret
	return s, nil
}

// prepare opens the folder, made where it was missing.
func (s *Store) prepare() error {
	if s.dir != nil {
		return nil
	}
	state, err := os.OpenRoot(s.state)
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	defer state.Close()
	if err := state.Mkdir(folder, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s/%s: %w", s.state, folder, err)
	}
	key, err := readKey(state)
	if err != nil {
		return fmt.Errorf("%s: %w", s.state, err)
	}
	dir, err := state.OpenRoot(folder)
	if err == nil {
		err = private(dir)
	}
	if err != nil {
		return fmt.Errorf("%s/%s: %w", s.state, folder, err)
	}
	s.dir, s.key = dir, key
	return nil
}

// private closes the folder to others, whoever made it, or gives it up.
func private(dir *os.Root) error {
	info, err := dir.Stat(".")
	if err == nil && info.Mode().Perm() != 0o700 {
		err = dir.Chmod(".", 0o700)
	}
	if err != nil {
		dir.Close()
	}
	return err
}

// Close lets go of the folder.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == nil {
		return nil
	}
	err := s.dir.Close()
	s.dir = nil
	return err
}

func name(number uint64) string { return fmt.Sprintf("%020d", number) }

// numbers are the versions that have a file, ascending.
func (s *Store) numbers() ([]uint64, error) {
	f, err := s.dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(maxNames)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var list []uint64
	for _, text := range names {
		if n, err := strconv.ParseUint(text, 10, 64); err == nil && n > 0 && text == name(n) {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list, nil
}

// List returns all versions that are whole, oldest first.
func (s *Store) List() ([]Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == nil {
		return nil, errClosed
	}
	numbers, err := s.numbers()
	if err != nil {
		return nil, fmt.Errorf("versions: %w", err)
	}
	var list []Version
	for _, n := range numbers {
		if v, ok := s.describe(n); ok {
			list = append(list, v)
		}
	}
	return list, nil
}

// describe reads the head of a version; one that is damaged is warned about, once.
func (s *Store) describe(number uint64) (Version, bool) {
	f, v, err := s.open(number)
	if err != nil {
		if !s.warned[number] {
			s.warned[number] = true
			s.log.Warn("a kept version is left out", zap.Uint64("version", number), zap.Error(err))
		}
		return v, false
	}
	f.Close()
	return v, true
}

// Newest returns the version with the highest number that is whole, nil for none. highest is the highest number that
// was ever given to one that is still there, damaged or not.
func (s *Store) Newest() (newest *Version, highest uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == nil {
		return nil, 0, errClosed
	}
	numbers, err := s.numbers()
	if err != nil || len(numbers) == 0 {
		return nil, 0, err
	}
	for _, n := range slices.Backward(numbers) {
		if v, ok := s.describe(n); ok {
			newest = &v
			break
		}
	}
	return newest, numbers[len(numbers)-1], nil
}

// Add keeps a version, and of all of them the newest that keep allows; 0 keeps none. One that is there already in the same
// form stays as it is.
func (s *Store) Add(v Version, snapshot []byte, keep int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.prepare(); err != nil {
		return err
	}
	if keep > 0 {
		if err := s.add(v, snapshot); err != nil {
			return fmt.Errorf("version %d could not be kept: %w", v.Number, err)
		}
	}
	return s.prune(keep)
}

func (s *Store) add(v Version, snapshot []byte) error {
	if f, old, err := s.open(v.Number); err == nil {
		f.Close()
		if old.SHA == v.SHA {
			return nil
		}
		return fmt.Errorf("another one of %s has that number", old.At.Format("2006-01-02 15:04:05"))
	}
	v.Size = int64(len(snapshot))
	head, err := s.head(v)
	if err != nil {
		return err
	}
	delete(s.warned, v.Number)
	return write(s.dir, name(v.Number), head, snapshot)
}

func (s *Store) prune(keep int) error {
	numbers, err := s.numbers()
	if err != nil {
		return fmt.Errorf("versions: %w", err)
	}
	for _, n := range numbers[:max(len(numbers)-keep, 0)] {
		if err := s.dir.Remove(name(n)); err != nil {
			return fmt.Errorf("old version %d could not be removed: %w", n, err)
		}
	}
	return nil
}

// Give makes the folder and its files another user's, who this process is going to be. What has a second name
// elsewhere is not ours and stays as it is.
func (s *Store) Give(uid, gid int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == nil {
		return nil
	}
	numbers, err := s.numbers()
	for _, n := range numbers {
		if err == nil {
			err = s.give(name(n), uid, gid)
		}
	}
	if err == nil {
		err = s.dir.Lchown(".", uid, gid)
	}
	if err != nil {
		return fmt.Errorf("versions: give to uid %d: %w", uid, err)
	}
	return nil
}

func (s *Store) give(name string, uid, gid int) error {
	f, err := s.dir.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil // none of ours; List has its warning
	}
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) {
		var st unix.Stat_t
		if err = unix.Fstat(int(fd), &st); err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink == 1 {
			err = unix.Fchown(int(fd), uid, gid)
		}
	})
	return errors.Join(cerr, err)
}
