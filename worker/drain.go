package worker

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"pingap/ipc"
)

// draining is the end of the worker under way.
type draining struct {
	timer *time.Timer
	once  sync.Once
	stop  chan struct{} // closed when the time is up
}

func (d *draining) expire() { d.once.Do(func() { close(d.stop) }) }

// drainAlone drains where no supervisor says in what time.
func (w *worker) drainAlone(reason string) {
	b := w.live.basic
	w.beginDrain(b.DrainIdleGrace.Std(), b.GracePeriod.Std(), reason)
}

// beginDrain stops accepting and lets what is there finish.
func (w *worker) beginDrain(idleGrace, timeout time.Duration, reason string) {
	if w.state != ipc.StateActive {
		if w.state != ipc.StateDraining {
			w.end(nil) // nothing was accepted yet
		}
		return
	}
	w.state = ipc.StateDraining
	w.log.Info("draining", zap.String("reason", reason), zap.Int64("connections", w.gate.Open()), zap.Duration("timeout", timeout))
	stopTimer(&w.lifeline.grace)
	w.abandon()
	for _, l := range w.addresses.list {
		l.socket.Drop(false)
	}
	w.addresses.list = nil
	d := &draining{stop: make(chan struct{})}
	d.timer = time.AfterFunc(timeout, d.expire)
	w.drain = d
	w.wg.Go(func() { // ends when the connections have, when time is up, or when Run does
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
		w.proxy.Drain(idleGrace, d.stop)
		w.post(w.drained)
	})
}

// drained says good-bye.
func (w *worker) drained() {
	left := w.gate.Open()
	s := w.proxy.Stats()
	w.log.Info("drained", zap.Uint64("requests", w.requests(s)), zap.Int64("cut", left))
	w.reply(0, ipc.Gone{Requests: w.requests(s), Cut: left})
	w.end(nil)
}

// drainFaster shortens the time that is left.
func (w *worker) drainFaster(timeout time.Duration) {
	if w.drain != nil && w.drain.timer.Stop() {
		w.drain.timer.Reset(timeout)
	}
}

// left is what Drain and DrainFaster are answered.
func (w *worker) left() ipc.Body { return ipc.Draining{Left: w.gate.Open()} }
