package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"go.uber.org/zap"

	"pingap/ipc"
	"pingap/worker/drain"
)

// maxJobs bounds the log messages that wait for a slow disk.
const maxJobs = 16

// receive hands the supervisor's messages to the loop.
func (w *worker) receive(conn *ipc.Conn) {
	for {
		m, err := conn.Receive(context.Background())
		var short *ipc.ShortError
		if errors.As(err, &short) {
			w.post(func() { w.short(conn, short) })
			continue
		}
		if err != nil {
			w.post(func() { w.lost(conn, err) })
			return
		}
		if !w.post(func() { w.message(conn, m) }) {
			m.Close()
			return
		}
	}
}

// message acts on one message of the supervisor. What is not answered here is answered when it is done.
func (w *worker) message(conn *ipc.Conn, m *ipc.Message) {
	defer m.Close()
	if conn != w.conn || w.fenced(m) {
		return
	}
	if _, ok := m.Body.(*ipc.Resync); !ok && w.lifeline.shown != nil {
		w.lost(conn, fmt.Errorf("%s in place of Resync", m.Body.Type()))
		return
	}
	var answer ipc.Body
	switch b := m.Body.(type) {
	case *ipc.Activate:
		answer = w.activate()
	case *ipc.Prepare:
		w.prepare(m, b)
	case *ipc.Commit:
		answer = w.commit(m.Txn)
	case *ipc.Abort:
		answer = w.abort(m.Txn)
	case *ipc.LogFDs:
		w.takeLogs(m, b)
	case *ipc.LogLevel:
		w.setLevel(b.Level)
	case *ipc.TicketKeys:
		w.takeTickets(b)
	case *ipc.State:
		answer = w.takeState(b)
	case *ipc.Announce:
		answer = w.hear(m.Txn, b)
	case *ipc.Explain:
		answer = w.explain(m, b)
	case *ipc.Announced, *ipc.Refused, *ipc.Unknown:
		w.answered(m.Txn, b)
	case *ipc.ArenaPart:
		w.takePart(m, b)
	case *ipc.StatusRequest:
		answer = w.status("")
	case *ipc.Resync:
		answer = w.resync(b)
	case *ipc.Dump:
		w.dump()
	case *ipc.Drain:
		w.beginDrain(b)
		answer = w.left()
	case *ipc.DrainFaster:
		w.drainFaster(b.Timeout)
		answer = w.left()
	case *ipc.Stop:
		w.stop(b.Who)
	default:
		answer = ipc.Unknown{Of: m.Body.Type()}
	}
	if answer == nil {
		return
	}
	w.reply(m.Txn, answer)
}

// short refuses a message whose descriptors there was no room for. Of those that have no refusal the sender learns by silence.
func (w *worker) short(conn *ipc.Conn, err *ipc.ShortError) {
	w.log.Error("too few descriptors are left", zap.Error(err))
	if conn == w.conn && err.Type == ipc.TypePrepare {
		w.reply(err.Txn, ipc.Nack{Code: ipc.CodeResources, Message: err.Error()})
	}
}

// reply sends an answer. One that cannot be sent concerns a supervisor that is gone, which the receiver notices, or hangs.
func (w *worker) reply(txn uint32, body ipc.Body) {
	if w.conn == nil {
		return
	}
	if err := w.send(txn, body); err != nil {
		w.log.Warn("the supervisor was not told", zap.Stringer("message", body.Type()), zap.Error(err))
	}
}

// activate starts accepting.
func (w *worker) activate() ipc.Body {
	if w.state != ipc.StateReady {
		return nil
	}
	w.state = ipc.StateActive
	list := w.addresses.list
	w.addresses.list = nil
	w.listen(list)
	return ipc.Active{}
}

// stop ends the worker at once. One that drains says what became of it.
func (w *worker) stop(who string) {
	w.log.Info("told to stop", zap.String("by", who))
	if w.drain != nil {
		w.drained(drain.Stop.String())
	}
	w.end(nil)
}

// signalled drains at the first signal and ends at the second.
func (w *worker) signalled() {
	if w.state != ipc.StateActive {
		w.end(nil)
		return
	}
	w.drainAlone("signal")
}

func (w *worker) stopTimers() {
	if w.drain != nil {
		w.drain.timer.Stop()
	}
}

// dumpBytes bounds the stacks that Dump writes.
const dumpBytes = 4 << 20

func (w *worker) dump() {
	buf := make([]byte, dumpBytes)
	w.log.Info("stacks", zap.ByteString("stacks", buf[:runtime.Stack(buf, true)]))
}
