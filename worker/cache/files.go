package cache

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sys/unix"

	"pingap/worker/tally"
)

// FileOptions are those of a store in files.
type FileOptions struct {
	Dir        string
	Levels     []int          // characters of the names of sub directories, at most two of them
	MaxSize    int64          // bytes of all files; 0 for no bound
	Inactive   time.Duration  // what was not used for so long is removed; 0 for never
	ReadingMax int64          // objects that are opened at once; 0 for no bound
	WritingMax int64          // objects that are written at once; 0 for no bound
	Counts     *tally.Storage // for the metrics; nil for none
}

const (
	// touchEvery is how old the time of a file's last use may get before it is written anew.
	touchEvery = 5 * time.Minute
	// knownHeads bounds the bytes of heads that are kept in memory beside the files.
	knownHeads = 16 << 20
	// firstRead is what is read of a file at first: most heads fit.
	firstRead = 4096
	// objects is where objects are below the directory, between slashes.
	objects = "/objects/"
)

// files keeps responses in files below one directory, which processes share.
type files struct {
	options FileOptions
	locks   *locks
	spools  string // the directory of what this process writes
	alive   *os.File
	boot    uint64
	known   *otter.Cache[Key, *known]
	number  atomic.Uint64
	reading atomic.Int64
	writing atomic.Int64
	usage   usage

	mu    sync.Mutex
	users int           // of Open
	stop  chan struct{} // ends the sweeper
	ended chan struct{} // closed when it has
	wake  chan struct{} // has the sweeper look at once
}

// known is a head that was read, and the file it was read from.
type known struct {
	inode, size, changed int64
	head                 *Head
	offset               int64
}

// NewFiles makes a cache in files. It does nothing until it is opened.
func NewFiles(o FileOptions) *Cache {
	s := &files{options: o, wake: make(chan struct{}, 1)}
	s.known = otter.Must(&otter.Options[Key, *known]{MaximumWeight: knownHeads,
		Weigher: func(_ Key, n *known) uint32 { return uint32(overhead + n.offset) }})
	c := newCache(s)
	c.files = s
	return c
}

// Open is called by each who uses the cache, before the first use.
func (c *Cache) Open() error {
	if c.files == nil {
		return nil
	}
	return c.files.open()
}

// Close is called by each who opened the cache; the last one's waits for what runs in the background. The cache may be opened again.
func (c *Cache) Close() {
	if c.files != nil {
		c.files.close()
	}
}

func (s *files) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		if err := s.prepareLocked(); err != nil {
			return err
		}
		s.stop, s.ended = make(chan struct{}), make(chan struct{})
		go s.sweeper(s.stop, s.ended) // ends with the last close, which waits for it
	}
	s.users++
	return nil
}

// prepareLocked makes the directory, and one in it for what this process writes, which is locked for as long as the process lives.
func (s *files) prepareLocked() error {
	if s.locks != nil {
		return nil
	}
	dir := s.options.Dir
	if err := os.MkdirAll(filepath.Join(dir, "tmp"), 0o700); err != nil {
		return fmt.Errorf("make the directory of a cache: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the lock of a cache: %w", err)
	}
	l := &locks{file}
	held, err := l.wait(lockSpool) // nobody cleans up between the next lines
	if err != nil {
		_ = file.Close() // the other error counts
		return fmt.Errorf("lock a cache: %w", err)
	}
	defer held.release()
	if s.spools, err = os.MkdirTemp(filepath.Join(dir, "tmp"), "w"); err == nil {
		s.alive, err = os.Open(s.spools)
	}
	if err == nil {
		err = unix.Flock(int(s.alive.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		_ = file.Close() // the other error counts
		return fmt.Errorf("make a directory for what is written to a cache: %w", err)
	}
	s.boot = bootNumber()
	s.usage.file = file
	s.locks = l
	return nil
}

// revive makes the directory for what is written anew: somebody has emptied the cache by hand. The lock file that was removed with it still divides those who have it
// open.
func (s *files) revive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if os.MkdirAll(s.spools, 0o700) != nil {
		return false
	}
	alive, err := os.Open(s.spools)
	if err != nil {
		return false
	}
	_ = s.alive.Close() // it is gone
	s.alive = alive
	return unix.Flock(int(alive.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}

func (s *files) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 {
		close(s.stop)
		<-s.ended
	}
}

// bootNumber tells one start of the machine from another.
func bootNumber() uint64 {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return 0 // then it is never the same, see get
	}
	h := fnv.New64a()
	_, _ = h.Write(id) // does not fail
	return h.Sum64()
}

// path is where an object is: sub directories are named by the end of its name.
func (s *files) path(k Key) string {
	name := hex.EncodeToString(k[:])
	var b strings.Builder
	b.Grow(len(s.options.Dir) + len(name) + 20)
	b.WriteString(s.options.Dir)
	b.WriteString(objects)
	end := len(name)
	for _, n := range s.options.Levels {
		b.WriteString(name[end-n : end])
		b.WriteByte('/')
		end -= n
	}
	b.WriteString(name)
	return b.String()
}

// get opens an object.
func (s *files) get(k Key) *Object {
	began := time.Now()
	defer s.readers(-1)
	if s.readers(1) > s.options.ReadingMax && s.options.ReadingMax > 0 {
		return nil
	}
	path := s.path(k)
	fd, err := openFile(path)
	if err != nil {
		return nil
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		_ = syscall.Close(fd) // nothing to lose
		return nil
	}
	file := os.NewFile(uintptr(fd), path)
	n, ok := s.known.GetIfPresent(k)
	if !ok || n.inode != int64(st.Ino) || n.size != st.Size || n.changed != st.Mtim.Nano() {
		if n = s.read(k, file, &st); n == nil {
			_ = file.Close() // it was only read
			s.drop(path, onDisk(st.Size))
			return nil
		}
	}
	if age := time.Since(time.Unix(0, st.Mtim.Nano())); age > touchEvery {
		now := time.Now()
		_ = os.Chtimes(path, now, now) // it is used all the same
	}
	s.options.Counts.Read(time.Since(began))
	return &Object{Head: n.head, File: file, Offset: n.offset}
}

// readers counts who reads, here and for the metrics.
func (s *files) readers(n int64) int64 {
	s.options.Counts.Reading(n)
	return s.reading.Add(n)
}

func openFile(path string) (int, error) {
	for {
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NOFOLLOW, 0)
		if !errors.Is(err, syscall.EINTR) {
			return fd, err
		}
	}
}

// read reads the head of a file; nil where the file is torn.
func (s *files) read(k Key, file *os.File, st *syscall.Stat_t) *known {
	b := make([]byte, min(firstRead, st.Size))
	if _, err := file.ReadAt(b, 0); err != nil {
		return nil
	}
	p, err := decodePrelude(b, st.Size)
	if err != nil {
		return nil
	}
	if need := preludeSize + p.head; need > len(b) {
		b = make([]byte, need)
		if _, err := file.ReadAt(b, 0); err != nil {
			return nil
		}
	}
	head, err := decodeFile(b, &p)
	if err != nil || (p.boot != s.boot || p.boot == 0) && !intact(file, &p) {
		return nil
	}
	n := &known{inode: int64(st.Ino), size: st.Size, changed: st.Mtim.Nano(), head: head, offset: preludeSize + int64(p.head)}
	s.known.Set(k, n)
	return n
}

// intact verifies the body of a file that an earlier boot wrote.
func intact(file *os.File, p *prelude) bool {
	sum := crc32.New(castagnoli)
	n, err := io.Copy(sum, io.NewSectionReader(file, preludeSize+int64(p.head), p.body))
	return err == nil && n == p.body && sum.Sum32() == p.crc
}

func (s *files) remove(k Key) bool {
	path := s.path(k)
	size := sizeOf(path)
	return s.drop(path, size)
}

func (s *files) drop(path string, size int64) bool {
	if os.Remove(path) != nil {
		return false
	}
	s.count(-size)
	return true
}

// sizeOf is what a file takes; 0 where there is none.
func sizeOf(path string) int64 {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return onDisk(info.Size())
}

// onDisk is what a file of this length takes: blocks, and its place in a directory.
func onDisk(size int64) int64 { return (size + 4095) &^ 4095 }
