package worker

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"pingap/ipc"
	"pingap/worker/drain"
	"pingap/worker/process"
)

// draining is the end of the worker under way.
type draining struct {
	began  time.Time
	timer  *time.Timer // the last resort: what is left then is cut all at once
	until  time.Time   // when it goes off
	margin time.Duration
	once   sync.Once
	stop   chan struct{} // closed when the time is up
	killer process.Killer
	hard   time.Duration // between the last time-out and the kernel's, 0 for no such
}

func (d *draining) expire() { d.once.Do(func() { close(d.stop) }) }

// hardAlone is how long after its last time-out a worker that drains alone is killed if it still runs.
const hardAlone = 30 * time.Second

// drainAlone drains where no supervisor says in what time.
func (w *worker) drainAlone(reason string) {
	b := w.live.basic
	d := ipc.Drain{IdleGrace: b.DrainIdleGrace.Std(), Spread: b.DrainSpread.Std(), Timeout: b.GracePeriod.Std(),
		LongTimeout: b.DrainLongTimeout.Std(), Reason: reason}
	d.Hard = w.longest(&d) + hardAlone
	w.beginDrain(&d)
}

// longest is the last time-out of a drain: the most that anything may take.
func (w *worker) longest(d *ipc.Drain) time.Duration {
	longest := max(d.Timeout, d.LongTimeout, d.IdleGrace+d.Spread)
	if d.LongTimeout == 0 {
		return longest
	}
	for _, l := range w.live.locations {
		longest = max(longest, l.DrainTimeout)
	}
	return longest + d.Spread
}

// beginDrain stops accepting and lets what is there finish.
func (w *worker) beginDrain(b *ipc.Drain) {
	if w.state != ipc.StateActive {
		if w.state != ipc.StateDraining {
			w.end(nil) // nothing was accepted yet
		}
		return
	}
	w.state = ipc.StateDraining
	w.log.Info("draining", zap.String("reason", b.Reason), zap.Int64("connections", w.gate.Open()), zap.Duration("timeout", b.Timeout),
		zap.Duration("long_timeout", b.LongTimeout))
	stopTimer(&w.lifeline.grace)
	w.abandon()
	longest := w.longest(b)
	d := &draining{began: time.Now(), stop: make(chan struct{}), margin: w.o.Timings.DrainMargin}
	d.timer, d.until = time.AfterFunc(longest+d.margin, d.expire), d.began.Add(longest+d.margin)
	w.drain = d
	if b.Hard > 0 {
		d.hard = max(b.Hard-longest, d.margin)
		w.killWithin(b.Hard)
	}
	w.proxy.Drain(drain.Times{IdleGrace: b.IdleGrace, Spread: b.Spread, Timeout: b.Timeout, LongTimeout: b.LongTimeout})
	for _, l := range w.addresses.list {
		l.socket.Drop(false)
	}
	w.addresses.list = nil
	w.wg.Go(func() { w.awaitDrained(d) }) // ends when the connections have, when time is up, or when Run does
}

func (w *worker) awaitDrained(d *draining) {
	over := make(chan struct{})
	defer close(over)
	w.wg.Go(func() {
		select {
		case <-w.done:
			d.expire()
		case <-over:
		}
	})
	w.accepts.Wait() // what they accepted last is counted
	if w.o.OwnProcess {
		process.Slim()
	}
	w.proxy.Drained(d.stop)
	w.post(func() { w.drained("") })
}

// killWithin has the kernel end the process if nothing else does.
func (w *worker) killWithin(d time.Duration) {
	if !w.o.OwnProcess {
		return
	}
	if err := w.drain.killer.Within(d); err != nil {
		w.log.Error("no hard limit for the drain", zap.Error(err))
	}
}

// drained says good-bye. What is left is cut, for the reason given.
func (w *worker) drained(why string) {
	s, ends := w.proxy.Stats(), w.proxy.Ends()
	gone := ipc.Gone{Requests: w.requests(s), Finished: ends.Finished, Connections: ends.Connections, AfterAnswer: ends.AfterAnswer,
		Idle: ends.Idle, Cut: ends.Cut, CutWhy: ends.CutWhy, Took: time.Since(w.drain.began)}
	if left := w.gate.Open(); left > 0 {
		if why == "" {
			why = drain.Timeout.String()
		}
		if gone.CutWhy == nil {
			gone.CutWhy = map[string]int64{}
		}
		gone.Connections += uint64(left)
		gone.Cut += left
		gone.CutWhy[why] += left
	}
	w.log.Info("drained", zap.Uint64("requests", gone.Requests), zap.Uint64("finished", gone.Finished), zap.Uint64("connections", gone.Connections),
		zap.Uint64("after_answer", gone.AfterAnswer), zap.Uint64("idle", gone.Idle), zap.Int64("cut", gone.Cut), zap.Duration("took", gone.Took))
	w.reply(0, gone)
	w.end(nil)
}

// drainFaster shortens the time that is left.
func (w *worker) drainFaster(timeout time.Duration) {
	d := w.drain
	if d == nil {
		return
	}
	w.proxy.Hurry(timeout)
	if until := time.Now().Add(timeout + d.margin); until.Before(d.until) && d.timer.Stop() {
		d.until = until
		d.timer.Reset(timeout + d.margin)
	}
	if d.hard > 0 {
		w.killWithin(timeout + d.hard)
	}
}

// left is what Drain and DrainFaster are answered.
func (w *worker) left() ipc.Body { return ipc.Draining{Left: w.gate.Open()} }
