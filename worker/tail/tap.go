package tail

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"pingap/ipc"
	"pingap/message"
	"pingap/worker/accesslog"
)

// Tap takes the records of requests. Its methods may be called by any goroutine.
type Tap struct {
	// Switch has requests come to Log, or no more; it is told under a lock and must not wait. Required.
	Switch func(on bool)
	// PID is shown with each line.
	PID int

	watches atomic.Pointer[[]*watch] // nil for none
	format  atomic.Pointer[accesslog.Format]
	pool    sync.Pool // *[]byte
	sender  sender
	wake    chan struct{} // there are watches

	mu    sync.Mutex // guards the changing of watches, and what follows
	buf   []byte     // lines that wait
	spare []byte
}

// watch is what one of those who watch wants to see.
type watch struct {
	ipc.Tail
	key     string
	expires time.Time
	lost    atomic.Int64
	second  atomic.Uint64 // Unix seconds in the upper half, lines of that second in the lower
}

// New returns a Tap that nobody watches.
func New(pid int, on func(bool)) *Tap {
	t := &Tap{Switch: on, PID: pid, wake: make(chan struct{}, 1), pool: sync.Pool{New: func() any { return new([]byte) }}}
	t.SetHidden(nil)
	return t
}

// SetHidden says what lines do not show.
func (t *Tap) SetHidden(hidden *accesslog.Hidden) {
	format, _ := accesslog.CompileHiding("json", nil, hidden)
	t.format.Store(format)
}

// Change takes items of ipc.StateTail; with all, others are over.
func (t *Tap) Change(items []ipc.StateItem, all bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := map[string]*watch{}
	if old := t.watches.Load(); old != nil && !all {
		for _, w := range *old {
			next[w.key] = w
		}
	}
	var failed []error
	for i := range items {
		if items[i].Gone {
			delete(next, items[i].Key)
		} else if err := enter(next, &items[i]); err != nil {
			failed = append(failed, err)
		}
	}
	t.becomeLocked(next)
	return errors.Join(failed...)
}

// enter begins a watch, or prolongs it.
func enter(into map[string]*watch, i *ipc.StateItem) error {
	w := &watch{key: i.Key, expires: i.Expires}
	if len(i.Key) == 0 || len(i.Key) > ipc.TailKey || into[i.Key] == nil && len(into) >= ipc.MaxTails {
		return fmt.Errorf("lines are not watched: %d of them are, or a key of %d bytes", len(into), len(i.Key))
	}
	if json.Unmarshal(i.Body, &w.Tail) != nil || w.Rate <= 0 {
		return errors.New("lines are not watched: what is wanted cannot be read")
	}
	if old := into[i.Key]; old != nil {
		w.lost.Store(old.lost.Load())
		w.second.Store(old.second.Load())
	}
	into[i.Key] = w
	return nil
}

func (t *Tap) becomeLocked(next map[string]*watch) {
	was := t.watches.Load() != nil
	if len(next) == 0 {
		t.watches.Store(nil)
		t.buf = nil
		if was {
			t.Switch(false)
		}
		return
	}
	list := make([]*watch, 0, len(next))
	for _, w := range next {
		list = append(list, w)
	}
	t.watches.Store(&list)
	if !was {
		t.Switch(true)
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

// Log implements proxy.Logger.
func (t *Tap) Log(r *message.Record) {
	watches := t.watches.Load()
	if watches == nil {
		return
	}
	now := time.Now()
	var line *[]byte
	for _, w := range *watches {
		if !w.wants(r, now) {
			continue
		}
		if !w.admit(now) {
			w.lost.Add(1)
			continue
		}
		if line == nil {
			line = t.pool.Get().(*[]byte)
			*line = t.append((*line)[:0], r, now)
		}
		if !t.put(w, *line) {
			w.lost.Add(1)
		}
	}
	if line != nil {
		t.pool.Put(line)
	}
}

// append makes the line: that of the access log, and the process.
func (t *Tap) append(dst []byte, r *message.Record, now time.Time) []byte {
	dst = t.format.Load().Append(dst, r, now)
	dst = append(dst[:len(dst)-1], `,"pid":`...)
	return append(strconv.AppendInt(dst, int64(t.PID), 10), '}')
}

// wants says whether a request is one of those that are watched.
func (w *watch) wants(r *message.Record, now time.Time) bool {
	if w.Location != "" && w.Location != r.Location || w.Slow > 0 && message.Clock(now)-r.Start < w.Slow {
		return false
	}
	if len(w.Status) == 0 {
		return now.Before(w.expires)
	}
	for _, s := range w.Status {
		if s[0] <= r.Status && r.Status <= s[1] {
			return now.Before(w.expires)
		}
	}
	return false
}

// admit takes one of the lines that there may be in this second.
func (w *watch) admit(now time.Time) bool {
	second := uint64(uint32(now.Unix())) << 32
	for {
		old := w.second.Load()
		next := old + 1
		if old>>32 != second>>32 {
			next = second | 1
		}
		if uint32(next) > uint32(w.Rate) {
			return false
		}
		if w.second.CompareAndSwap(old, next) {
			return true
		}
	}
}

// put has a line wait to be sent.
func (t *Tap) put(w *watch, line []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.buf)+len(w.key)+len(line)+2 > ipc.MaxTailBody {
		return false
	}
	t.buf = append(append(append(append(t.buf, w.key...), ' '), line...), '\n')
	return true
}
