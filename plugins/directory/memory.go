package directory

import (
	"hash/maphash"
	"io"
	"sync"
	"syscall"
	"time"
)

const (
	// largestKept is the longest file that is kept in memory; longer ones are better sent by the kernel.
	largestKept = 64 << 10
	// settledAfter is how long a file must not have changed before it is kept: what is written within one tick of a clock cannot be told apart.
	settledAfter = 2 * time.Second
	// askedBefore is how many names are remembered that were asked for once; see memory.again.
	askedBefore = 4096
)

// memory keeps small files that are asked for again and again. Each use costs a stat: what has another inode, size, or time of its last
// change of contents or status is not used. So it is as if the file was read each time, at a fraction of the system calls.
type memory struct {
	room    int64 // bytes
	settled time.Duration
	seed    maphash.Seed

	mu    sync.RWMutex // guards the rest
	files map[string]*kept
	bytes int64
	asked [askedBefore]uint64
}

// kept is a file in memory. It never changes.
type kept struct {
	name string
	stat syscall.Stat_t
	body []byte
}

// cost is what it counts for the room.
func (k *kept) cost() int64 { return int64(len(k.body) + len(k.name) + 512) }

// newMemory returns nil where nothing is to be kept.
func newMemory(room int64) *memory {
	if room == 0 {
		return nil
	}
	return &memory{room: room, settled: settledAfter, seed: maphash.MakeSeed(), files: map[string]*kept{}}
}

// find fills o with a file of that name that is kept and still the same.
func (m *memory) find(name string, o *opened) bool {
	if m == nil {
		return false
	}
	m.mu.RLock()
	k := m.files[name]
	m.mu.RUnlock()
	if k == nil {
		return false
	}
	if err := syscall.Stat(k.name, &o.stat); err != nil || !same(&o.stat, &k.stat) {
		m.drop(k)
		return false
	}
	o.body = k.body
	return true
}

// same reports whether two looks saw the same contents of the same file.
func same(a, b *syscall.Stat_t) bool {
	return a.Ino == b.Ino && a.Dev == b.Dev && a.Size == b.Size && a.Mtim == b.Mtim && a.Ctim == b.Ctim
}

func (m *memory) drop(k *kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[k.name] == k {
		m.bytes -= k.cost()
		delete(m.files, k.name)
	}
}

// keep reads a file that was opened, if it is one that is worth it, and has o use what was read.
func (m *memory) keep(o *opened) {
	if m == nil || o.directory() || o.stat.Size == 0 || o.stat.Size > largestKept {
		return
	}
	if time.Since(time.Unix(o.stat.Ctim.Unix())) < m.settled || !m.again(o.name) {
		return
	}
	k := &kept{name: o.name, stat: o.stat, body: make([]byte, o.stat.Size)}
	file := o.take()
	if _, err := file.ReadAt(k.body, 0); err != nil && err != io.EOF {
		return
	}
	// It had not changed for a while, so a change since then shows.
	info, err := file.Stat()
	if err != nil || !same(info.Sys().(*syscall.Stat_t), &k.stat) {
		return
	}
	o.close()
	o.body = k.body
	m.add(k)
}

// again reports whether a name was asked for lately: who walks over all files once must not fill the memory.
func (m *memory) again(name string) bool {
	h := maphash.String(m.seed, name) | 1
	m.mu.Lock()
	defer m.mu.Unlock()
	place := &m.asked[h/2%askedBefore]
	before := *place == h
	*place = h
	return before
}

// add makes room by dropping files by chance: those that are wanted come back.
func (m *memory) add(k *kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.files[k.name]; old != nil {
		m.bytes -= old.cost()
		delete(m.files, k.name)
	}
	for name, other := range m.files {
		if m.bytes+k.cost() <= m.room {
			break
		}
		m.bytes -= other.cost()
		delete(m.files, name)
	}
	if m.bytes+k.cost() <= m.room {
		m.files[k.name] = k
		m.bytes += k.cost()
	}
}
