package ledger

import (
	"slices"
	"time"

	"go.uber.org/zap"

	"pingap/ipc"
)

// Max bounds the entries that are kept; the oldest go.
const Max = 100

// maxReasons bounds what a worker can add to an entry.
const maxReasons = 16

// Book is the ledger. Its zero value with Log is empty.
type Book struct {
	Log   *zap.Logger
	Build string // of this supervisor
	// Changed is called after each change, to have it written. May be nil.
	Changed func()
	// Accepted is how many connections the live workers have taken so far. May be nil.
	Accepted func() uint64
	// Ended is called when the operation of an entry has ended; its draining may go on. May be nil.
	Ended func(ipc.Record)

	id      uint64 // of the last entry
	entries []*Entry
	sums    Sums
}

// Sums are the totals over all entries there ever were.
type Sums struct {
	ipc.Totals
	Drops uint64 `json:"drops"` // of the kernel, up to which Refused counts
}

// Entry is a record while its operation, and the draining that follows from it, goes on. The fields that only the operation knows are
// set by it.
type Entry struct {
	ipc.Record
	drops uint64 // of the kernel when it began
}

// Load goes on with the entries and sums of the supervisor before, id being the last number given. No sums are those of one that kept none.
func (b *Book) Load(records []ipc.Record, id uint64, sums *Sums) {
	b.id = id
	drops := listenDrops()
	b.sums.Drops = drops
	if sums != nil {
		b.sums = *sums
	}
	for _, r := range records {
		b.entries = append(b.entries, &Entry{Record: r, drops: drops})
	}
}

// Begin opens an entry; live is the version that is live, 0 for none.
func (b *Book) Begin(kind, by string, live uint64) *Entry {
	b.id++
	if b.sums.Drops == 0 {
		b.sums.Drops = listenDrops() // the instance begins
	}
	e := &Entry{drops: listenDrops(),
		Record: ipc.Record{ID: b.id, Kind: kind, By: by, At: time.Now(), Build: b.Build, From: live, To: live}}
	b.entries = append(b.entries, e)
	if len(b.entries) > Max {
		b.entries = slices.Delete(b.entries, 0, len(b.entries)-Max)
	}
	b.changed()
	return e
}

// Done ends the operation of an entry. The entry ends when its workers have drained.
func (b *Book) Done(e *Entry) {
	e.Result = ipc.RecordDone
	b.close(e)
	b.ended(e)
}

// Refuse ends the operation of an entry, which changed nothing.
func (b *Book) Refuse(e *Entry, reason string) {
	e.Result, e.Reason, e.Took = ipc.RecordRefused, reason, time.Since(e.At)
	b.close(e)
	b.ended(e)
}

func (b *Book) ended(e *Entry) {
	if b.Ended != nil {
		b.Ended(e.Record)
	}
}

// Drains notes that a worker drains because of this operation. nil is no entry.
func (b *Book) Drains(e *Entry) {
	if e != nil {
		e.Workers++
		e.Draining++
		b.changed()
	}
}

// Drained notes the end of such a worker: its last message, or, without one, how many requests were in flight when it was last heard
// of. nil is no entry.
func (b *Book) Drained(e *Entry, gone *ipc.Gone, inFlight int64) {
	b.sum(gone, inFlight)
	if e == nil {
		b.changed()
		return
	}
	e.Draining--
	if gone == nil {
		e.kill(inFlight)
	} else {
		e.Requests += gone.Finished
		e.Connections += gone.Connections
		e.AfterAnswer += gone.AfterAnswer
		e.Idle += gone.Idle
		e.Cut += gone.Cut
		for why, n := range gone.CutWhy {
			e.why(why, n)
		}
	}
	b.close(e)
}

// sum adds the end of a worker to the totals.
func (b *Book) sum(gone *ipc.Gone, inFlight int64) {
	t := &b.sums.Totals
	t.Workers++
	if gone == nil {
		t.Cut += uint64(max(inFlight, 0))
		return
	}
	t.Finished += gone.Finished
	t.Drained += gone.Connections
	t.Cut += uint64(max(gone.Cut, 0))
}

// Sums are the totals up to now.
func (b *Book) Sums() Sums {
	now := listenDrops()
	b.sums.Refused += now - min(now, b.sums.Drops) // another network namespace may count from less
	b.sums.Drops = now
	return b.sums
}

// Died counts the requests of a worker that died, and was not to.
func (b *Book) Died(e *Entry, inFlight int64) {
	b.sum(nil, inFlight)
	e.kill(inFlight)
}

// kill counts requests that a worker took with it.
func (e *Entry) kill(inFlight int64) {
	if inFlight > 0 {
		e.Cut += inFlight
		e.why("killed", inFlight)
	}
}

func (e *Entry) why(why string, n int64) {
	if e.CutWhy == nil {
		e.CutWhy = map[string]int64{}
	}
	if _, known := e.CutWhy[why]; known || len(e.CutWhy) < maxReasons {
		e.CutWhy[why] += n
	}
}

// Waited enters a time without a worker that accepts, into the last entry.
func (b *Book) Waited(d time.Duration) {
	if n := len(b.entries); n > 0 {
		b.entries[n-1].LongestWait = max(b.entries[n-1].LongestWait, d)
		b.changed()
	}
}

// close ends an entry that is complete.
func (b *Book) close(e *Entry) {
	b.changed()
	if e.Draining > 0 || e.Result == "" || !e.Ended.IsZero() {
		return
	}
	e.Ended = time.Now()
	e.Refused = int64(listenDrops() - e.drops)
	if e.Workers > 0 && e.Kind == ipc.RecordRoll && b.Accepted != nil {
		e.Moved = b.Accepted()
		b.sums.Moved += e.Moved
	}
	b.Log.Info("ledger", zap.Uint64("id", e.ID), zap.String("kind", e.Kind), zap.String("by", e.By), zap.String("result", e.Result),
		zap.String("reason", e.Reason), zap.Uint64("from", e.From), zap.Uint64("to", e.To), zap.Duration("took", e.Took),
		zap.Int("workers", e.Workers), zap.Uint64("requests", e.Requests), zap.Uint64("connections", e.Connections),
		zap.Uint64("after_answer", e.AfterAnswer), zap.Uint64("idle", e.Idle), zap.Uint64("moved", e.Moved), zap.Int64("cut", e.Cut),
		zap.Any("cut_why", e.CutWhy), zap.Int64("refused", e.Refused), zap.Duration("longest_wait", e.LongestWait))
}

func (b *Book) changed() {
	if b.Changed != nil {
		b.Changed()
	}
}

// Records returns all entries, oldest first.
func (b *Book) Records() []ipc.Record {
	var all []ipc.Record
	for _, e := range b.entries {
		all = append(all, e.Record)
	}
	return all
}

// Last returns the newest entry, nil for none.
func (b *Book) Last() *ipc.Record {
	if len(b.entries) == 0 {
		return nil
	}
	r := b.entries[len(b.entries)-1].Record
	return &r
}

// ID is the number of the last entry.
func (b *Book) ID() uint64 { return b.id }

// Open returns the entry of this number while it is not complete, otherwise nil.
func (b *Book) Open(id uint64) *Entry {
	for _, e := range b.entries {
		if e.ID == id && e.Ended.IsZero() {
			return e
		}
	}
	return nil
}
