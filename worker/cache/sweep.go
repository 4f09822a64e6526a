package cache

import (
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// sweepEvery is how often files are looked for that nobody used.
	sweepEvery = 10 * time.Minute
	// Of max_size: where the sweep begins, and where it ends. At the whole nothing more is stored until it has.
	sweepFrom, sweepTo, sweepUnit = 14, 12, 16
)

// usage is the number of bytes in all files: eight bytes of the lock file, changed under a lock. What this process added is told when it is much.
type usage struct {
	file *os.File

	mu      sync.Mutex
	pending int64 // not told yet
	total   int64 // as last read
}

// full reports whether there is no room.
func (s *files) full() bool {
	if s.options.MaxSize == 0 {
		return false
	}
	s.usage.mu.Lock()
	defer s.usage.mu.Unlock()
	return s.usage.total+s.usage.pending >= s.options.MaxSize
}

// count notes bytes that were added or removed.
func (s *files) count(n int64) {
	if s.options.MaxSize == 0 {
		return
	}
	u := &s.usage
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pending += n
	if u.pending > s.options.MaxSize/256 || u.pending < -s.options.MaxSize/256 {
		s.tellLocked()
	}
	if u.total+u.pending > s.options.MaxSize/sweepUnit*sweepFrom {
		select {
		case s.wake <- struct{}{}:
		default: // it looks anyhow
		}
	}
}

// tellLocked adds what is pending to the number that all share.
func (s *files) tellLocked() {
	held, err := s.locks.wait(lockUsage)
	if err != nil {
		return
	}
	defer held.release()
	var b [8]byte
	_, _ = s.usage.file.ReadAt(b[:], 0) // an empty file is zero
	s.usage.total = max(0, int64(binary.BigEndian.Uint64(b[:]))+s.usage.pending)
	s.usage.pending = 0
	binary.BigEndian.PutUint64(b[:], uint64(s.usage.total))
	_, _ = s.usage.file.WriteAt(b[:], 0) // a sweep corrects it
}

// sweeper looks at all files: at first, now and then, and when they are too many.
func (s *files) sweeper(stop <-chan struct{}, ended chan<- struct{}) {
	defer close(ended)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		s.sweep(stop)
		select {
		case <-stop:
			return
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// found is a file that a sweep saw.
type found struct {
	key  Key
	used int64 // ns since 1970
	size int64
}

// sweep removes what nobody used for long, and what was used longest ago where there is too much. One process does it at a time; the others learn
// the sum.
func (s *files) sweep(stop <-chan struct{}) {
	held, err := s.locks.try(lockSweep)
	if err != nil || held == nil {
		s.usage.mu.Lock()
		s.tellLocked()
		s.usage.mu.Unlock()
		return
	}
	defer held.release()
	s.cleanSpools()
	s.usage.mu.Lock()
	s.tellLocked()
	before := s.usage.total
	s.usage.mu.Unlock()
	all, sum := s.list(stop)
	if s.options.Inactive > 0 {
		limit := time.Now().Add(-s.options.Inactive).UnixNano()
		all = slices.DeleteFunc(all, func(f found) bool {
			old := f.used < limit
			if old && os.Remove(s.path(f.key)) == nil {
				sum -= f.size
			}
			return old
		})
	}
	if unit := s.options.MaxSize / sweepUnit; s.options.MaxSize > 0 && sum > unit*sweepFrom {
		slices.SortFunc(all, func(a, b found) int { return int(min(max(a.used-b.used, -1), 1)) })
		for i := 0; i < len(all) && sum > unit*sweepTo && !ends(stop); i++ {
			if os.Remove(s.path(all[i].key)) == nil {
				sum -= all[i].size
			}
		}
	}
	if ends(stop) {
		return // not all was counted
	}
	s.settle(sum, before)
}

// settle writes the sum that was counted, and what has come since the count began; some of that may be in both, until the next sweep.
func (s *files) settle(sum, before int64) {
	s.usage.mu.Lock()
	defer s.usage.mu.Unlock()
	s.tellLocked()
	s.usage.pending = sum - before // what is told now is sum and the difference
	s.tellLocked()
}

func ends(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// list looks at all files. Any that stands where this store would not look for it is removed: a store with other levels left it.
func (s *files) list(stop <-chan struct{}) (all []found, sum int64) {
	_ = filepath.WalkDir(filepath.Clean(s.options.Dir+objects), func(path string, d fs.DirEntry, err error) error {
		switch {
		case ends(stop):
			return fs.SkipAll
		case err != nil:
			return nil // gone meanwhile
		case !d.Type().IsRegular():
			return nil
		}
		k, ok := keyOfName(d.Name())
		info, err := d.Info()
		if !ok || err != nil {
			return nil
		}
		if s.path(k) != path {
			_ = os.Remove(path) // the next sweep tries again
			return nil
		}
		all = append(all, found{k, info.ModTime().UnixNano(), onDisk(info.Size())})
		sum += onDisk(info.Size())
		return nil
	})
	return all, sum
}

func keyOfName(name string) (k Key, ok bool) {
	if len(name) != 2*len(k) {
		return k, false
	}
	_, err := hex.Decode(k[:], []byte(name))
	return k, err == nil
}

// cleanSpools removes what processes that are gone left behind: their directories are not locked any more.
func (s *files) cleanSpools() {
	held, err := s.locks.wait(lockSpool)
	if err != nil {
		return
	}
	defer held.release()
	dirs, err := os.ReadDir(filepath.Join(s.options.Dir, "tmp"))
	if err != nil {
		return
	}
	for _, d := range dirs {
		path := filepath.Join(s.options.Dir, "tmp", d.Name())
		if path == s.spools || !d.IsDir() {
			continue
		}
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.RemoveAll(path) // the next sweep tries again
		}
		_ = syscall.Close(fd) // and with it the lock
	}
}

// purge reads the head of every file.
func (s *files) purge(match func(*Head) bool) (removed, failed int) {
	all, _ := s.list(nil)
	for _, f := range all {
		o := s.peek(f.key)
		if o == nil {
			continue
		}
		counts := !o.mark()
		if !match(o.Head) {
			continue
		}
		switch {
		case !s.drop(s.path(f.key), f.size):
			failed++
		case counts:
			removed++
		}
	}
	return removed, failed
}

// peek reads a head, without a trace.
func (s *files) peek(k Key) *Object {
	file, err := os.Open(s.path(k))
	if err != nil {
		return nil
	}
	defer file.Close()
	var st syscall.Stat_t
	if syscall.Fstat(int(file.Fd()), &st) != nil {
		return nil
	}
	n := s.read(k, file, &st)
	if n == nil {
		return nil
	}
	return &Object{Head: n.head}
}
