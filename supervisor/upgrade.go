package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// Upgrader starts a successor of this process from the binary that now stands where this one was started from.
type Upgrader interface {
	// Check says what is wrong with that binary, if anything.
	Check(ctx context.Context) error
	// Start starts it with one end of a socket, and returns nil when it says that it is ready. It is killed where it fails.
	Start(socket *ipc.Conn) error
}

// Predecessor is the supervisor that started this one.
type Predecessor struct {
	Conn  *ipc.Conn    // to it
	Ready func() error // tells it that this one has taken over: it ends
	Gone  func()       // returns when it has ended, or hangs doing so
}

// upgrading is a successor on its way. Nothing else happens meanwhile.
type upgrading struct {
	request
	by     string
	began  time.Time
	conn   *ipc.Conn // to the successor
	pid    int       // of it, once it has asked
	build  string
	txn    uint32              // of its request
	paused map[*child]struct{} // workers still being read
	handed bool                // it has everything: we read and send nothing
	over   bool                // it is the supervisor
}

func (u *upgrading) handedOver() bool { return u != nil && u.handed }

type (
	unheard struct{ from *child } // nobody reads a child any more
	checked struct{ err error }   // the binary
	asked   struct{ msg *ipc.Message }
	flipped struct{ err error } // the successor is ready, or has failed
)

// askUpgrade begins an upgrade, or has it wait for what is under way.
func (s *supervisor) askUpgrade(from *request, by string) {
	why := ""
	switch {
	case s.o.Upgrader == nil:
		why = "this instance cannot be upgraded in place" + s.o.NoUpgrade
	case s.stop != nil || s.live == nil || s.adopting != nil:
		why = "pingap is starting or stopping"
	case s.upgrade != nil || s.wantUpgrade != nil:
		why = "an upgrade is under way"
	}
	if why != "" {
		s.log.Warn("upgrade refused", zap.String("reason", why))
		from.answer(s, ipc.Refused{Code: ipc.CodeBusy, Reason: why})
		return
	}
	s.wantUpgrade = &upgrading{by: by, paused: map[*child]struct{}{}}
	if from != nil {
		s.wantUpgrade.request = *from
	}
	s.beginUpgrade()
}

// beginUpgrade begins an upgrade that waits, if nothing is under way.
func (s *supervisor) beginUpgrade() bool {
	if s.wantUpgrade == nil || s.op != nil || s.stop != nil {
		return false
	}
	s.upgrade, s.wantUpgrade = s.wantUpgrade, nil
	s.upgrade.began = time.Now()
	s.log.Info("upgrading", zap.String("by", s.upgrade.by))
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Timings.Check)
	s.wg.Go(func() { // ends with ctx
		defer cancel()
		s.post(checked{s.o.Upgrader.Check(ctx)})
	})
	return true
}

// binaryChecked starts the successor.
func (s *supervisor) binaryChecked(err error) {
	if s.upgrade == nil {
		return
	}
	if err != nil {
		s.upgradeFailed(fmt.Errorf("the new binary: %w", err))
		return
	}
	ours, theirs, err := ipc.Pair()
	if err != nil {
		s.upgradeFailed(err)
		return
	}
	s.upgrade.conn = ours
	s.waits.Go(func() { // ends when the successor is ready, has failed or has taken too long
		err := s.o.Upgrader.Start(theirs)
		theirs.Close()
		s.post(flipped{err})
	})
	s.wg.Go(func() { // ends with the connection
		m, err := ours.Receive(context.Background())
		if err == nil && !s.post(asked{m}) {
			m.Close()
		}
	})
}

// successorAsked checks who it is, and stops reading the workers: what they say next is for the successor.
func (s *supervisor) successorAsked(m *ipc.Message) {
	u := s.upgrade
	if u == nil {
		return
	}
	b, ok := m.Body.(*ipc.HandoverRequest)
	if !ok || b.ProtoMin > ipc.Version || b.ProtoMax < ipc.ProtoMin {
		why := fmt.Sprintf("%s from the successor", m.Body.Type())
		if ok {
			why = fmt.Sprintf("the successor speaks protocol %d to %d, this build %d to %d", b.ProtoMin, b.ProtoMax, ipc.ProtoMin, ipc.Version)
		}
		s.log.Error("no hand-over", zap.String("reason", why))
		_ = u.conn.TrySend(m.Txn, ipc.Refused{Code: ipc.CodeInvalid, Reason: why}) // it fails all the same without an answer
		return
	}
	u.pid, u.build, u.txn = b.PID, clip(b.Build), m.Txn
	for c := range s.children {
		if c.role() == ipc.RoleWorker && !c.eof { // one that is ending is read no more
			u.paused[c] = struct{}{}
		}
	}
	for c := range u.paused {
		c.reading()
	}
	s.handOver()
}

// notHeard is the end of reading a worker.
func (s *supervisor) notHeard(c *child) {
	if s.upgrade == nil {
		return
	}
	delete(s.upgrade.paused, c)
	s.handOver()
}

// handOver sends everything once no worker is read any more.
func (s *supervisor) handOver() {
	u := s.upgrade
	if len(u.paused) > 0 || u.pid == 0 || u.handed {
		return
	}
	secrets, err := s.vault.Memfd()
	if err == nil {
		defer unix.Close(secrets)
		var body ipc.Handover
		var fds ipc.FDs
		if body, fds, err = s.handover(secrets); err == nil {
			u.handed = true
			err = u.conn.TrySend(u.txn, body, fds...)
		}
	}
	if err != nil {
		// The successor gives up when it gets nothing, and with that the upgrade has failed.
		s.log.Error("hand-over", zap.Error(err))
		u.conn.Close()
	}
}

// handover packs everything.
func (s *supervisor) handover(secrets int) (ipc.Handover, ipc.FDs, error) {
	var fds ipc.FDs
	st := s.stateNow()
	st.By = s.upgrade.by
	data, err := st.Encode()
	if err != nil {
		return ipc.Handover{}, nil, err
	}
	b := ipc.Handover{State: data, Lock: fds.Add(s.runDir.LockFD()), Control: fds.Add(s.runDir.Control),
		Snapshot: fds.Add(s.live.snapshot), Listeners: map[string]ipc.Slot{}, Logs: map[string]ipc.Slot{},
		Workers: map[int]ipc.Slot{}, Rescues: map[int]ipc.Slot{}}
	if s.runDir.Admin >= 0 {
		b.Admin = fds.Add(s.runDir.Admin)
	}
	b.Arena, b.Parts = s.giveArena(&fds)
	b.Secrets, b.SecretsSerial = fds.Add(secrets), s.vault.serial
	for id, l := range s.listeners {
		b.Listeners[id] = fds.Add(l.fd)
	}
	for c := range s.children {
		if c.role() != ipc.RoleWorker || c.dying != "" || c.eof {
			continue
		}
		fd, err := c.conn.FD()
		if err != nil {
			return b, nil, err
		}
		b.Workers[c.serial] = fds.Add(fd)
		if c.rescue >= 0 {
			b.Rescues[c.serial] = fds.Add(c.rescue)
		}
	}
	return b, fds, nil
}

// successorEnded acts on the outcome: this process ends, or goes on as if nothing had been.
func (s *supervisor) successorEnded(err error) {
	u := s.upgrade
	if u == nil {
		return
	}
	if err == nil && !u.handed {
		err = errors.New("the successor says that it is ready, and never asked for anything")
	}
	if err != nil {
		s.upgradeFailed(err)
		return
	}
	u.over = true
	s.log.Info("upgraded", zap.Int("successor", u.pid), zap.String("build", u.build), zap.Duration("took", time.Since(u.began)))
	// Only the main process of the unit may name another; the manager has to know it before this one ends.
	s.told(s.manager().Send(fmt.Sprintf("MAINPID=%d", u.pid)))
	s.told(s.manager().Barrier(s.o.Timings.Barrier))
	if _, alive := s.children[u.from]; !alive {
		s.leave("upgrade")
		return
	}
	u.answer(s, ipc.Upgraded{PID: u.pid, Build: u.build, Took: time.Since(u.began)})
	// Control ends when it has passed that on.
	s.after(s.o.Timings.StopFast, func() { s.leave("upgrade") })
}

// upgradeFailed goes on with everything as it was.
func (s *supervisor) upgradeFailed(err error) {
	u := s.upgrade
	s.upgrade = nil
	if u.conn != nil {
		u.conn.Close()
	}
	s.log.Error("upgrade failed, everything is as it was", zap.Error(err))
	s.ledger.Refuse(s.enter(ipc.RecordUpgrade, u.by), clip(err.Error()))
	if u.pid != 0 {
		s.resume()
	}
	u.answer(s, ipc.Refused{Code: ipc.CodeInvalid, Reason: "not upgraded, everything is as it was: " + clip(err.Error())})
	s.settle()
}

// resume reads the workers again, which the successor may have told that it is the supervisor now.
func (s *supervisor) resume() {
	s.epoch += 2
	for c := range s.children {
		if c.role() != ipc.RoleWorker {
			continue
		}
		c.reading()
		c.conn.SetEpoch(s.epoch)
		c.lastSeen = time.Now()
		s.send(c, s.nextTxn(), ipc.Resync{Epoch: s.epoch})
		s.hear(c)
	}
	s.vaultChanged()
	s.changed()
}

// leave ends this process and leaves the workers to a successor.
func (s *supervisor) leave(why string) {
	s.left, s.bequeath = why, true
	if why == "restart" {
		if err := s.stateNow().Write(s.o.RunDir); err != nil {
			s.log.Error("state", zap.Error(err))
		}
	}
	s.done = true
}

// handOff ends this process for a restart: whoever comes next adopts the workers. What is under way is not waited for long.
func (s *supervisor) handOff() {
	switch {
	case s.stop != nil || s.live == nil:
		s.beginStop(false, "restart")
	case s.op != nil && s.handOffTimer == nil:
		s.handOffTimer = s.after(s.o.Timings.HandOff, func() {
			s.dropApplies()
			s.leave("restart")
		})
	case s.op == nil:
		s.leave("restart")
	}
}

// succeed tells the supervisor before, if there is one, that it may go, and the world that this one is the supervisor now.
func (s *supervisor) succeed() {
	if p := s.o.Predecessor; p != nil {
		if err := p.Ready(); err != nil {
			s.log.Error("the supervisor before was not told", zap.Error(err))
		}
		p.Conn.Close()
		p.Gone()
	}
	if err := s.runDir.WriteOwnPID(); err != nil {
		s.log.Warn("pid file not written", zap.Error(err))
	}
	s.bequeath = false
	s.storeAll()
	if s.live != nil {
		s.ready()
	}
}
