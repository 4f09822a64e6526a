package arena

import (
	"math"
	"math/bits"
	"time"

	"golang.org/x/sys/unix"
)

// Key is what a rate is kept for: the limiter together with, say, the address of a client. All processes must make it alike, by a hash
// over all of both that fills it. Where its place is cannot be foretold from it: it is mixed with the id of the arena.
type Key [2]uint64

// maxSpan bounds burst*interval, in ns: a year and some weeks. What is longer is cut to it, and so is the burst.
const maxSpan = 1 << 55

// Tries that one call has, against many that change the same words at the same time, or one that does nothing else. Who loses is refused.
const (
	chargeTries = 256
	claimTries  = 64
	lateTries   = 16
)

// grace is how long a place stays its key's after its time is past, and how long a call may last. Whoever is admitted began no earlier than
// when a place that its key has lost meanwhile ran out, however long it was stopped in between: see run.
var grace = (10 * time.Millisecond).Nanoseconds()

// ask is one call of Allow, as all places see it.
type ask struct {
	hash uint64 // which window
	tag  uint64 // whose place
	now  int64
	step int64 // what one event costs, in ns
	span int64 // what all of a burst do
	full int64 // until when it is charged, of all places that were looked at
	paid payment
	took bool // a place, in this call
}

// Allow admits an event, at most one in each interval, and burst of them at once after a pause: over all processes never more
// than burst + elapsed/interval for a key. Else wait is how long it takes until one could be admitted. charged is how long it takes until the
// key is as if it had never been there: of the burst, charged/interval are gone, rounded up. now is that of Now, asked for this call.
// An interval of 0 or less limits nothing, a burst below 1 admits nothing.
//
// A process that only reads is told what a worker would be told, and counts nothing.
//
// It is exact as long as the key keeps its place, see Evicted. It never blocks, and costs two lines of memory in each part.
func (a *Arena) Allow(key Key, interval time.Duration, burst int, now int64) (ok bool, wait, charged time.Duration) {
	return a.allow(key, interval, burst, now, a.column == ReadOnly)
}

// WouldAllow is what Allow would answer, and counts nothing.
func (a *Arena) WouldAllow(key Key, interval time.Duration, burst int, now int64) (ok bool, wait, charged time.Duration) {
	return a.allow(key, interval, burst, now, true)
}

func (a *Arena) allow(key Key, interval time.Duration, burst int, now int64, peek bool) (ok bool, wait, charged time.Duration) {
	switch {
	case interval <= 0 || now > maxTime-maxSpan: // a host that is up for eight years
		return true, 0, 0
	case burst < 1:
		return false, interval, 0
	}
	q := ask{now: max(now, 0), step: min(int64(interval), maxSpan)}
	q.span = q.step * min(int64(burst), maxSpan/q.step)
	parts := a.parts()
	q.hash, q.tag = key.place(parts[0].id)
	if peek {
		ok, wait = q.peek(parts)
	} else {
		ok, wait = q.run(parts)
	}
	return ok, wait, time.Duration(min(max(q.full-q.now, 0), q.span))
}

// place mixes a key with the id of the arena, which no client knows: nobody can pick keys that crowd out another.
func (k Key) place(id uint64) (hash, tag uint64) {
	hash = mix(k[0]^id, k[1]^0x9e3779b97f4a7c15)
	tag = mix(k[1]^bits.RotateLeft64(id, 32), hash^k[0]^0xd1b54a32d192ed03) >> turnBits
	return hash, max(tag, 1) // 0 is nobody
}

func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	high, low = bits.Mul64(high^low^0x8bb84b93962eacc9, 0x2d358dccaa6c78a5)
	return high ^ low
}

// run charges every place that the key has, and takes one where it has none.
//
// Why it is exact: mostly there is one place, and a charge is one compare-and-swap. Two that look at the same time may each find none, and
// take one each. So whoever has charged looks at all the window again, and is admitted only when it has charged every place of its key. Then
// the place that the key has had for longest knows of all that were admitted since: who charged another has seen this one afterwards.
// When its time has run out, nothing of it counts, and the next one knows of all since.
//
// It is to have run out for whoever asks, too, by the time at which it began. A process may be stopped at any point, and go on when
// its key has had a place, and lost it: that began too early, and begins again.
func (q *ask) run(parts []*part) (bool, time.Duration) {
	for range lateTries {
		ok, wait := q.once(parts)
		if !ok || Now()-q.now <= grace {
			return ok, wait
		}
		q.paid.back()
		q.now, q.took, q.full = Now(), false, 0
	}
	return false, time.Duration(q.step)
}

func (q *ask) once(parts []*part) (bool, time.Duration) {
	var done charged
	found := false
	for range claimTries {
		n, wait := q.pass(parts, &done)
		switch {
		case wait > 0 && q.paid.back() && q.took: // two that took a place each refuse each other
			done, found, q.full = charged{}, false, 0
		case wait > 0:
			return false, wait
		case n > 0:
			found = true
		case found:
			return true, 0
		default:
			if i, n := q.claim(parts); n >= 0 {
				done[i] |= 1 << n
				found = true
			}
		}
	}
	return false, time.Duration(q.step)
}

// charged are places by part, a bit each.
type charged [MaxParts + 1]uint8

// pass charges the places of the key that are not done, and returns how many they were; or how long to wait, where one refuses.
func (q *ask) pass(parts []*part, done *charged) (n int, wait time.Duration) {
	for i, p := range parts {
		w := p.window(q.hash)
		for at := range w {
			if done[i]&(1<<at) != 0 {
				continue
			}
			switch got, wait := w[at].charge(q); got {
			case refused:
				return n, wait
			case admitted:
				done[i] |= 1 << at
				n++
			}
		}
	}
	return n, 0
}

// peek answers as run does, and changes nothing.
func (q *ask) peek(parts []*part) (bool, time.Duration) {
	for _, p := range parts {
		w := p.window(q.hash)
		for n := range w {
			state, mine := w[n].of(q.tag)
			if !mine {
				continue
			}
			until := min(timeOf(state), q.now+q.span)
			q.full = max(q.full, until)
			if wait := q.wait(until); wait > 0 {
				return false, wait
			}
		}
	}
	return true, 0
}

// wait is how long an event has to, with what is charged up to a time; 0 or less is not at all.
func (q *ask) wait(until int64) time.Duration {
	return time.Duration(max(until, q.now) + q.step - q.span - q.now)
}

// Rates is the number of keys that there is room for at a time, over all parts.
func (a *Arena) Rates() int {
	n := 0
	for _, p := range a.parts() {
		n += len(p.windows) * places
	}
	return n
}

// Evicted is how many keys lost their place to another before their time had run out, because all that they might have had were in use.
// Each may have been admitted a burst too much. Those that had least left go first.
func (a *Arena) Evicted() uint64 {
	var n uint64
	for _, p := range a.parts() {
		n += p.evicted.Load()
	}
	return n
}

// Now is the clock of Allow, CLOCK_MONOTONIC of the host in ns: one for all processes, which does not jump. It is read without asking the
// kernel, which may take as long as all else of a call, and is off by a microsecond or two between processes.
func Now() int64 { return clockAt + time.Since(clockFrom).Nanoseconds() }

var clockFrom, clockAt = readClocks()

// readClocks reads the clock of the kernel together with that of the runtime, which is the same one with another origin: of some tries the one in
// which least time passed, as the process may be stopped in any.
func readClocks() (from time.Time, at int64) {
	least := int64(math.MaxInt64)
	for range 16 {
		before := kernelClock()
		t := time.Now()
		if took := kernelClock() - before; took < least {
			from, at, least = t, before+took/2, took
		}
	}
	return from, at
}

func kernelClock() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // the kernel always has it
	}
	return ts.Nano()
}
