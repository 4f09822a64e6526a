package arena

import (
	"sync/atomic"
	"time"
)

// places of a window. All that a key might have are in one, which is two lines of the cache.
const places = 8

// place is where the rate of a key is: GCRA, of which one time is the whole state. Both words end in the number of the turn, which
// changes when the place goes to another key. It is the key's only while both have the same number.
//
// A place whose time is past, and the grace after it, holds nothing, and may be taken: first the state, with the next number and what is charged, which
// makes every compare-and-swap fail that was meant for the key before; then the owner, with the same number. In between it belongs to nobody; so
// it does after the death of who was taking it, until its time is past as well.
type place struct {
	owner atomic.Uint64 // tag of the key << turnBits | turn; 0 is nobody
	state atomic.Uint64 // time in ns up to which is charged << turnBits | turn
}

const (
	turnBits = 6
	turnMask = 1<<turnBits - 1
	maxTime  = 1<<(64-turnBits) - 1 // 9 years
)

// window is a row of rates.
type window [places]place

func timeOf(state uint64) int64 { return int64(state >> turnBits) }

// of returns the state if the place belongs to the key with this tag.
func (w *place) of(tag uint64) (uint64, bool) {
	if w.owner.Load()>>turnBits != tag {
		return 0, false
	}
	state := w.state.Load()
	return state, w.owner.Load() == tag<<turnBits|state&turnMask
}

// outcome is what a place says to a charge.
type outcome int

const (
	another  outcome = iota // it belongs to another key
	refused                 // it would be too much
	admitted                // it is charged
)

// charge adds an event to a place of the key. The swap fails if anything happened to the place since it was looked at.
func (w *place) charge(q *ask) (outcome, time.Duration) {
	for range chargeTries {
		state, mine := w.of(q.tag)
		if !mine {
			return another, 0
		}
		until := timeOf(state)
		if until > q.now+q.span {
			until = w.cut(q, state)
		}
		if wait := q.wait(until); wait > 0 {
			q.full = max(q.full, until)
			return refused, wait
		}
		next := uint64(max(until, q.now)+q.step)<<turnBits | state&turnMask
		if w.state.CompareAndSwap(state, next) {
			q.full = max(q.full, timeOf(next))
			if q.paid.place == nil {
				q.paid = payment{w, state, next}
			}
			return admitted, 0
		}
	}
	return refused, time.Duration(q.step)
}

// cut repairs a time that is further off than a burst can be: rubbish, or the burst was larger. It answers what to go on with, which refuses.
// The clock is asked again: a process that was stopped for a while would else take for too far what others charged meanwhile.
func (w *place) cut(q *ask, state uint64) int64 {
	if most := max(q.now, Now()) + q.span; timeOf(state) > most {
		w.state.CompareAndSwap(state, uint64(most)<<turnBits|state&turnMask)
	}
	return q.now + q.span
}

// payment is the first that a call was charged. It goes back when another place of the key refuses, if nobody has charged
// since. Else two that take a place each at the same moment would both be refused, and pay for it.
type payment struct {
	place         *place
	before, after uint64
}

func (p *payment) back() bool {
	w := p.place
	p.place = nil
	return w != nil && w.state.CompareAndSwap(p.after, p.before)
}

// left is for how long a place is in use, 0 for one that may be taken. What no limit could have charged is rubbish.
func left(state uint64, now int64) int64 {
	n := timeOf(state) + grace - now
	if n > 2*maxSpan {
		return 0
	}
	return max(n, 0)
}

// claim takes a place for the key, charged with one event, and returns which of which part; -1 if somebody else was quicker.
//
// The clock is asked again: if the key had a place that went to another since now, then its time was past by a clock later than now.
func (q *ask) claim(parts []*part) (in, at int) {
	q.now = max(q.now, Now())
	in, at, owner, state := q.choose(parts)
	p := parts[in]
	w := &p.window(q.hash)[at]
	turn, ok := w.take(q, state)
	if !ok {
		return 0, -1
	}
	if left(state, q.now) > 0 {
		p.evicted.Add(1)
	}
	if !w.own(q, owner, turn) {
		return 0, -1 // taken from us already; what is charged there is nobody's
	}
	q.took, q.full = true, max(q.full, q.now+q.step)
	q.paid = payment{w, uint64(q.now)<<turnBits | turn, uint64(q.now+q.step)<<turnBits | turn}
	return in, at
}

// take is the first half of a claim: the place is charged, and nobody's. It returns the number of the turn.
func (w *place) take(q *ask, state uint64) (turn uint64, ok bool) {
	turn = (state + 1) & turnMask
	return turn, w.state.CompareAndSwap(state, uint64(q.now+q.step)<<turnBits|turn)
}

// own is the second half, the owner being still who it was. The place may have been taken again in between.
func (w *place) own(q *ask, owner, turn uint64) bool {
	return w.owner.CompareAndSwap(owner, q.tag<<turnBits|turn) && w.state.Load()&turnMask == turn
}

// choose finds a place that may be taken, or else the one nearest to it, with its words.
func (q *ask) choose(parts []*part) (in, at int, owner, state uint64) {
	least := int64(-1)
	for i, p := range parts {
		if i > 0 && p.opens > q.now {
			break // not all processes may know of it yet
		}
		w := p.window(q.hash)
		for n := range w {
			o, s := w[n].owner.Load(), w[n].state.Load()
			if l := left(s, q.now); least < 0 || l < least {
				in, at, least, owner, state = i, n, l, o, s
			}
			if least == 0 {
				return in, at, owner, state
			}
		}
	}
	return in, at, owner, state
}

func (p *part) window(hash uint64) *window { return &p.windows[hash&uint64(len(p.windows)-1)] }
