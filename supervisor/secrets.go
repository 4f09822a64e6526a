package supervisor

import (
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/inherit"
	"pingap/supervisor/secrets"
)

// vault is what workers are told beside the configuration, and what became of telling them.
type vault struct {
	*secrets.Store
	serial  int // of the memory file in the service manager's store; 0 for none yet
	saver   *timer
	rotator *timer
	telling map[uint32]*telling
	partial []string  // kinds of items that there are, where orphans brought them; nil for all
	quiet   time.Time // until then nothing is logged of workers that do not take items
}

// missingPause is between two lines about that: a worker of an older build takes no item of a newer kind, and backends change often.
const missingPause = time.Minute

// telling is a change of items that workers have not all confirmed.
type telling struct {
	request
	waiting map[*child]struct{}
	told    ipc.StateTaken
	timer   *timer
}

// openVault goes on with what the supervisor before had: its memory file, or what its orphans hold, keys and lists of backends. Else
// everything is new: clients make full handshakes once, and control tells its items again.
func (s *supervisor) openVault(in *inherit.Set) {
	s.vault = vault{serial: in.SecretsSerial, telling: map[uint32]*telling{}}
	if in.Secrets >= 0 {
		var err error
		if s.vault.Store, err = secrets.Open(in.Secrets, s.o.Now()); err != nil {
			s.log.Warn("ticket keys of the supervisor before are not taken over", zap.Error(err))
			s.vault.Store = nil
		}
		unix.Close(in.Secrets)
	}
	if s.vault.Store == nil {
		s.openTold(in)
	}
	for _, t := range in.Told {
		unix.Close(t.FD)
	}
	s.awaitRotation()
}

// openTold goes on with what orphans hold: control finds the lists of backends as after a crash of its own.
func (s *supervisor) openTold(in *inherit.Set) {
	s.vault.Store = secrets.With(in.Tickets, s.o.Now())
	for _, t := range in.Told {
		err := s.vault.TakeBack(t.FD, t.Number, s.o.Now())
		if err == nil {
			s.vault.partial = secrets.TakenBack()
			return
		}
		s.log.Warn("what a worker was told is not taken back from it", zap.Error(err))
	}
}

// awaitRotation wakes when the ticket key has had its time.
func (s *supervisor) awaitRotation() {
	s.vault.rotator.cancel()
	s.vault.rotator = s.after(s.vault.Due(s.o.Now(), s.o.Timings.TicketKey), func() {
		if s.upgrade != nil || s.adopting != nil { // who comes next has the same key and the same clock
			s.vault.rotator = s.after(time.Minute, s.awaitRotation)
			return
		}
		s.vault.Rotate(s.o.Now())
		s.log.Info("ticket keys rotated")
		s.tellKeys()
		s.vaultChanged()
		s.awaitRotation()
	})
}

// tellKeys tells all workers the ticket keys, also those that drain.
func (s *supervisor) tellKeys() {
	for c := range s.children {
		if c.takesState() {
			s.send(c, 0, s.vault.Tickets())
		}
	}
}

// takesState says whether a worker has been told everything, and is to be told changes.
func (c *child) takesState() bool {
	return c.role() == ipc.RoleWorker && c.activated && c.dying == "" && !c.eof
}

// tellAll tells a worker everything. It may know some of it.
func (s *supervisor) tellAll(c *child) {
	ok := s.send(c, 0, s.vault.Tickets())
	for _, m := range s.vault.Messages(s.vault.partial...) {
		ok = ok && s.send(c, 0, m)
	}
}

// vaultAdopted brings workers that were taken over to what is known here.
func (s *supervisor) vaultAdopted() {
	for c := range s.children {
		if c.takesState() {
			s.tellParts(c)
			s.tellAll(c)
		}
	}
}

// tell enters items of control and tells all workers; it answers when those that accept have them.
func (s *supervisor) tell(from request, b *ipc.State) {
	if s.upgrade != nil || s.adopting != nil || s.stop != nil {
		from.answer(s, ipc.Refused{Code: ipc.CodeBusy, Reason: "another supervisor takes over, or pingap is being stopped"})
		return
	}
	if err := s.vault.Change(b, s.o.Now()); err != nil {
		from.answer(s, ipc.Refused{Code: ipc.CodeResources, Reason: err.Error()})
		return
	}
	if slices.ContainsFunc(b.Items, func(i ipc.StateItem) bool { return i.Private }) {
		s.storeVault() // nobody can tell it again, and who asked for it is told that it is so
	}
	s.vaultChanged()
	txn := s.nextTxn()
	t := &telling{request: from, waiting: map[*child]struct{}{}}
	s.vault.telling[txn] = t
	told, some := s.vault.ForWorkers(b)
	for c := range s.children {
		if some && c.takesState() && s.send(c, txn, told) && c.state != ipc.StateDraining {
			t.waiting[c] = struct{}{}
		}
	}
	t.timer = s.after(s.o.Timings.State, func() { s.tellingLate(txn) })
	s.tellingProgress(txn)
}

// stateTaken is a worker's answer; why says that it does not have the items after all.
func (s *supervisor) stateTaken(c *child, txn uint32, why string) {
	t := s.vault.telling[txn]
	if t == nil {
		return
	}
	if _, waited := t.waiting[c]; !waited {
		return
	}
	delete(t.waiting, c)
	if why == "" {
		t.told.Workers++
	} else {
		t.told.Missing = append(t.told.Missing, c.name()+": "+clip(why))
	}
	s.tellingProgress(txn)
}

// stateLost forgets a worker that has ended: it answers nobody, and its successor is told everything.
func (s *supervisor) stateLost(c *child) {
	for txn, t := range s.vault.telling {
		delete(t.waiting, c)
		s.tellingProgress(txn)
	}
}

func (s *supervisor) tellingLate(txn uint32) {
	t := s.vault.telling[txn]
	for c := range t.waiting {
		t.told.Missing = append(t.told.Missing, c.name()+": did not answer in time")
		delete(t.waiting, c)
	}
	s.tellingProgress(txn)
}

func (s *supervisor) tellingProgress(txn uint32) {
	t := s.vault.telling[txn]
	if len(t.waiting) > 0 {
		return
	}
	t.timer.cancel()
	delete(s.vault.telling, txn)
	if now := s.o.Now(); len(t.told.Missing) > 0 && !s.vault.quiet.After(now) {
		s.vault.quiet = now.Add(missingPause)
		s.log.Warn("not all workers have what control told them beside the configuration", zap.Strings("missing", t.told.Missing))
	}
	t.answer(s, t.told)
}

// vaultChanged has the memory file in the service manager's store replaced soon. Changes come in groups; what is lost of them by a
// crash meanwhile control tells again.
func (s *supervisor) vaultChanged() {
	if s.manager() == nil || s.vault.saver != nil {
		return
	}
	s.vault.saver = s.after(s.o.Timings.SaveState, func() {
		s.vault.saver = nil
		s.storeVault()
	})
}

// storeVault replaces the memory file, the new one first.
func (s *supervisor) storeVault() {
	if s.manager() == nil || s.stop != nil || s.upgrade.handedOver() {
		return
	}
	fd, err := s.vault.Memfd()
	if err != nil {
		s.log.Error("ticket keys would not outlive this supervisor", zap.Error(err))
		return
	}
	defer unix.Close(fd)
	old := s.vault.serial
	s.vault.serial++
	s.store(inherit.NameSecrets(s.vault.serial), fd)
	if old > 0 {
		s.unstore(inherit.NameSecrets(old))
	}
}

// dropVault takes the memory file out of the service manager's store when the instance ends for good.
func (s *supervisor) dropVault() {
	if !s.o.KeepStored && s.vault.serial > 0 {
		s.unstore(inherit.NameSecrets(s.vault.serial))
	}
}

// unknown notes that a worker or control does not know a message: it is of an older build.
func (s *supervisor) unknown(c *child, txn uint32, of ipc.Type) {
	s.log.Warn("does not know a message", c.fields(), zap.Stringer("type", of))
	switch of {
	case ipc.TypeState:
		s.stateTaken(c, txn, "its build knows nothing of certificates beside the configuration")
	case ipc.TypeAnnounce:
		s.announced(c, txn, "its build knows nothing of announcements")
	case ipc.TypeExplain:
		s.explainFailed(txn, "the worker's build cannot explain")
	}
}
