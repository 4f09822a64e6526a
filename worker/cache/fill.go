package cache

import (
	"errors"
	"io"
	"sync"
	"time"

	"pingap/message"
)

const (
	// pieceMax is the most that a reader is given at once.
	pieceMax = 64 << 10
	// patience is how long a reader waits for the next bytes; the request that fills has limits of its own, which are shorter.
	patience = 2 * time.Minute
)

// errCut is why a reader's body ends early.
var errCut = errors.New("the response that is being stored was cut off")

// Fill is the body of a response while it comes: one request writes, others read along. Where it turns out to be too long it is not
// stored; then who reads along has only the last limit bytes, and is cut off when it is slower than that.
type Fill struct {
	cache   *Cache
	key     Key
	head    *Head
	asked   time.Time
	request []message.Field
	limit   int64

	mu        sync.Mutex
	changed   chan struct{} // closed with the next change; nil while nobody waits
	spool     *spool        // where the bytes are, up to inSpool; nil for memory
	inSpool   int64
	data      []byte // the bytes from base on
	base      int64
	written   int64
	readers   int
	ending    bool // no more will come
	over      bool // and what came is stored, if it is to be
	cut       bool // it ended early
	abandoned bool // it will not be stored
}

// Head is that of the response; its length is not known yet if it was not announced.
func (f *Fill) Head() *Head { return f.head }

// Write takes the next bytes. It never waits for readers.
func (f *Fill) Write(p []byte) {
	if len(p) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.abandoned && f.written+int64(len(p)) > f.limit {
		f.abandonLocked()
	}
	if !f.abandoned && f.spool != nil {
		if f.spool.write(p, f.written) != nil {
			f.abandonLocked()
		} else {
			f.inSpool += int64(len(p))
			f.base = f.inSpool
		}
	}
	if f.abandoned && f.readers == 0 {
		f.data, f.base = nil, f.written+int64(len(p))
	} else if f.spool == nil || f.abandoned {
		f.keepLocked(p)
	}
	f.written += int64(len(p))
	f.wakeLocked()
}

// keepLocked appends to data. Bytes that were appended are never changed, as readers have views of them.
func (f *Fill) keepLocked(p []byte) {
	if f.abandoned && int64(len(f.data)+len(p)) > 2*f.limit {
		drop := int64(len(f.data)) - min(f.limit, int64(len(f.data)))
		f.data = append(make([]byte, 0, 2*f.limit), f.data[drop:]...)
		f.base += drop
	}
	if f.data == nil && f.head.Length > 0 && f.head.Length <= f.limit {
		f.data = make([]byte, 0, f.head.Length)
	}
	f.data = append(f.data, p...)
}

func (f *Fill) abandonLocked() {
	if f.abandoned {
		return
	}
	f.abandoned = true
	if f.readers == 0 {
		f.data, f.base = nil, f.written
	}
}

func (f *Fill) wakeLocked() {
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// Whole reports whether as much has come as was announced.
func (f *Fill) Whole() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.written == f.head.Length
}

// Wanted reports whether somebody reads along.
func (f *Fill) Wanted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readers > 0
}

// End says that the body is over. A complete one is stored before readers learn of it, so that who comes next finds it.
func (f *Fill) End(complete bool) {
	f.mu.Lock()
	complete = complete && (f.head.Length == message.LengthUnknown || f.head.Length == f.written)
	done := f.ending
	keep := complete && !f.abandoned && !done
	f.ending = true
	data := f.data
	f.mu.Unlock()
	if done {
		return
	}
	if keep {
		stored := *f.head
		stored.Length = f.written
		f.cache.finish(f, &stored, data)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over, f.cut = true, !complete
	f.abandoned = f.abandoned || !keep
	f.releaseLocked()
	f.wakeLocked()
}

// releaseLocked gives the spool back when nobody reads it any more.
func (f *Fill) releaseLocked() {
	if f.over && f.readers == 0 && f.spool != nil {
		f.spool.close()
		f.spool = nil
	}
}

// Read returns a reader of the whole body, from its first byte on; nil where that is gone, or the body is over: then it is stored.
func (f *Fill) Read() *Reader {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.abandoned {
		return nil
	}
	f.readers++
	return &Reader{fill: f}
}

// Reader reads a body along while it comes. It is used by one goroutine.
type Reader struct {
	fill   *Fill
	at     int64
	buf    []byte
	closed bool
}

// Length is that of the body, message.LengthUnknown where it was not announced.
func (r *Reader) Length() int64 { return r.fill.head.Length }

// Next returns the next bytes, valid until the next call.
func (r *Reader) Next() ([]byte, error) {
	for {
		p, wait, err := r.next()
		if wait == nil {
			return p, err
		}
		timer := time.NewTimer(patience)
		select {
		case <-wait:
			timer.Stop()
		case <-timer.C:
			return nil, errCut
		}
	}
}

// next returns bytes that are there, or a channel that is closed when something changes.
func (r *Reader) next() ([]byte, chan struct{}, error) {
	f := r.fill
	f.mu.Lock()
	if r.at < f.written {
		if r.at < f.inSpool && f.spool != nil {
			n, s := min(f.inSpool-r.at, pieceMax), f.spool
			f.mu.Unlock() // the spool stays while there are readers
			return r.readSpool(s, int(n))
		}
		defer f.mu.Unlock()
		if r.at < f.base {
			return nil, nil, errCut // too slow
		}
		p := f.data[r.at-f.base:]
		p = p[:min(len(p), pieceMax)]
		r.at += int64(len(p))
		return p, nil, nil
	}
	defer f.mu.Unlock()
	switch {
	case f.over && f.cut:
		return nil, nil, errCut
	case f.over:
		return nil, nil, io.EOF
	}
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return nil, f.changed, nil
}

func (r *Reader) readSpool(s *spool, n int) ([]byte, chan struct{}, error) {
	if r.buf == nil {
		r.buf = make([]byte, pieceMax)
	}
	if err := s.read(r.buf[:n], r.at); err != nil {
		return nil, nil, errCut
	}
	r.at += int64(n)
	return r.buf[:n], nil, nil
}

// Close ends the reading.
func (r *Reader) Close() error {
	f := r.fill
	f.mu.Lock()
	defer f.mu.Unlock()
	if !r.closed {
		r.closed = true
		f.readers--
		f.releaseLocked()
	}
	return nil
}
