package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// lifeline is what a worker needs to live through the end of its supervisor. It belongs to the loop.
//
//	      EOF                  someone comes to the rescue socket           Resync
//	OWNED -----> ORPHAN ------------------------------------------> SHOWN ---------> OWNED
//	               ^  |                                               |
//	               |  | orphan_grace, since the first EOF             | 5 s, or EOF
//	               |  v                                               |
//	               |  drains, and can still be found                  |
//	               +--------------------------------------------------+
type lifeline struct {
	epoch  uint32 // the highest that Resync has told
	warned bool   // that messages of an older one are ignored

	rescue *ipc.Acceptor // nil for none
	owner  int           // only this user and root may come
	grace  *time.Timer   // of an orphan that is active; nil else
	shown  *time.Timer   // for Resync to come; nil where none is awaited
	stop   context.CancelFunc
}

// fenced reports whether a message comes from a supervisor that has been replaced.
func (w *worker) fenced(m *ipc.Message) bool {
	l, epoch := &w.lifeline, m.Epoch
	if b, ok := m.Body.(*ipc.Resync); ok {
		epoch = b.Epoch
	}
	if epoch >= l.epoch {
		return false
	}
	if !l.warned {
		l.warned = true
		w.log.Warn("a supervisor that was replaced still speaks; it is ignored", zap.Stringer("message", m.Body.Type()),
			zap.Uint32("epoch", epoch), zap.Uint32("want", l.epoch))
	}
	return true
}

// resync makes the sender of a message the supervisor, whoever was before.
func (w *worker) resync(b *ipc.Resync) ipc.Body {
	l := &w.lifeline
	l.epoch, l.warned = b.Epoch, false
	w.abandon() // nobody will commit what the one before has begun
	w.unanswered()
	w.conn.SetEpoch(b.Epoch)
	stopTimer(&l.grace)
	stopTimer(&l.shown)
	w.log.Info("a new supervisor has taken over", zap.Uint32("epoch", b.Epoch), zap.String("state", w.state))
	s, hello := w.status(""), w.hello()
	s.Process = &hello
	return s
}

func stopTimer(t **time.Timer) {
	if *t != nil {
		(*t).Stop()
		*t = nil
	}
}

// lost is the end of the connection to the supervisor. What serves goes on for a while: a new supervisor may be on its way.
func (w *worker) lost(conn *ipc.Conn, err error) {
	if conn != w.conn {
		return // has been replaced
	}
	if !errors.Is(err, io.EOF) {
		w.log.Error("the supervisor's socket is of no use any more", zap.Error(err))
	}
	if w.state != ipc.StateActive && w.state != ipc.StateDraining {
		w.end(errors.New("the supervisor went away before this worker was active"))
		return
	}
	w.conn = nil
	conn.Close()
	w.unanswered()
	l := &w.lifeline
	stopTimer(&l.shown)
	if w.state == ipc.StateActive && l.grace == nil {
		w.abandon()
		grace := w.live.basic.OrphanGrace.Std()
		w.log.Warn("the supervisor is gone; serving on", zap.Duration("for", grace))
		l.grace = w.afterUnless(grace, &l.grace, func() { w.drainAlone("no supervisor") })
	}
	if l.rescue != nil {
		if l.stop != nil {
			l.stop()
		}
		ctx, cancel := context.WithCancel(context.Background())
		l.stop = cancel
		w.wg.Go(func() { w.awaitRescue(ctx) }) // ends when someone came, or with Run
	}
}

// afterUnless is after, for a timer that is kept in a place: when that holds another by then, nothing is done.
func (w *worker) afterUnless(d time.Duration, place **time.Timer, do func()) *time.Timer {
	var t *time.Timer
	t = w.after(d, func() {
		if *place == t {
			do()
		}
	})
	return t
}

// awaitRescue accepts on the rescue socket until someone comes who may.
func (w *worker) awaitRescue(ctx context.Context) {
	for {
		conn, err := w.lifeline.rescue.Accept(ctx)
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return
		}
		if err == nil {
			err = w.mayRescue(conn)
		}
		if err == nil {
			if !w.post(func() { w.show(conn) }) {
				conn.Close()
			}
			return
		}
		w.log.Warn("rescue", zap.Error(err))
		select {
		case <-time.After(w.o.Timings.AcceptPause): // what fails once, as without descriptors, may do so for a while
		case <-ctx.Done():
			return
		}
	}
}

// admits reports whether a user may come to the rescue: root may, as it may do anything.
func (l *lifeline) admits(uid int) bool { return uid == 0 || uid == l.owner }

// mayRescue closes a connection of a user who has no business here.
func (w *worker) mayRescue(conn *ipc.Conn) error {
	pid, uid, _, err := conn.Peer()
	if err == nil && !w.lifeline.admits(uid) {
		err = fmt.Errorf("process %d of user %d came; only user %d and root may", pid, uid, w.lifeline.owner)
	}
	if err != nil {
		conn.Close()
		return err
	}
	conn.TakeFDs()
	return nil
}

// show tells who came to the rescue what this worker holds. Whether that is the supervisor from now on, its Resync says.
func (w *worker) show(conn *ipc.Conn) {
	l := &w.lifeline
	w.conn = conn
	w.wg.Go(func() { w.receive(conn) }) // ends when the connection is closed
	l.shown = w.afterUnless(w.o.Timings.Resync, &l.shown, func() { w.lost(conn, errors.New("no Resync came")) })
	if err := w.sendOrphan(); err != nil {
		w.lost(conn, err)
	}
}

func (w *worker) sendOrphan() error {
	var fds ipc.FDs
	o := ipc.Orphan{Hello: w.hello(), Status: w.status(""), Column: w.column, Tickets: w.beside.tickets, Number: w.beside.number}
	o.Arena, o.Snapshot = fds.Add(w.arena.FD()), fds.Add(int(w.live.memfd.Fd()))
	for _, fd := range w.arena.Parts() {
		o.Parts = append(o.Parts, fds.Add(fd))
	}
	var opened []int
	defer func() {
		for _, fd := range opened {
			unix.Close(fd)
		}
	}()
	if fd, err := w.build.endpoints.Seal(); err != nil {
		w.log.Error("a new supervisor does not get the lists of backends", zap.Error(err))
	} else if fd >= 0 {
		opened, o.Items = append(opened, fd), fds.Add(fd)
	}
	for _, a := range w.addresses.list { // none while draining
		fd, err := a.socket.FD()
		if err != nil {
			return err
		}
		opened = append(opened, fd)
		shown := a.Listener
		shown.FD = fds.Add(fd)
		o.Listeners = append(o.Listeners, shown)
	}
	return w.send(0, o, fds...)
}

// takeRescue takes the socket that a new supervisor may come to.
func (w *worker) takeRescue(m *ipc.Message, s *ipc.Start) error {
	if s.Rescue == 0 {
		return nil
	}
	fd, err := m.Take(s.Rescue)
	if err == nil {
		w.lifeline.rescue, err = ipc.AcceptorFromFD(fd)
	}
	if err != nil {
		return refuse(ipc.CodeInvalid, "", fmt.Errorf("rescue socket: %w", err))
	}
	w.lifeline.owner = s.Owner
	return nil
}

// close ends waiting for a rescue.
func (l *lifeline) close() {
	stopTimer(&l.grace)
	stopTimer(&l.shown)
	if l.stop != nil {
		l.stop()
	}
}
