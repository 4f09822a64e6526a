package supervisor

import (
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/ipc"
	"pingap/supervisor/inherit"
	"pingap/supervisor/state"
)

// openArena goes on with the arena of the supervisor before, if this build understands it: limits and counts stay exact. Else workers that
// are taken over count in theirs until they have drained, and all others in a new one.
func (s *supervisor) openArena(in *inherit.Set) (err error) {
	for _, fd := range in.Arenas {
		if s.arena != nil {
			unix.Close(fd)
		} else if s.arena, err = arena.Open(fd); err != nil {
			s.log.Warn("an arena of the supervisor before is not taken over", zap.Error(err))
		}
	}
	if s.newArena = s.arena == nil; s.newArena {
		if s.arena, err = arena.Create(arena.Options{}); err != nil {
			return err
		}
	}
	for _, fd := range in.Parts {
		if err := s.arena.AddPart(fd); err != nil {
			s.log.Warn("a part of an arena is not taken over", zap.Error(err))
		}
	}
	for column := range s.arena.Columns() {
		if !s.newArena && !counts(in.State, column) { // who had it may have ended while there was no supervisor
			s.arena.ZeroColumn(column)
		}
	}
	return nil
}

// counts says whether a worker of the supervisor before may still be changing a column.
func counts(st *state.State, column int) bool {
	if st == nil {
		return false
	}
	for _, w := range st.Workers {
		if w.Column == column && !hasEnded(w.PID) {
			return true
		}
	}
	return false
}

// hasEnded says whether there is no process of this number, or only what is left for its parent to collect.
func hasEnded(pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err == unix.ESRCH || err == unix.EINVAL
	}
	defer unix.Close(fd)
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds[:], 0)
	return err == nil && n > 0
}

// storeArena stores all parts. What the manager has of one that was not taken over goes first: names would mean two.
func (s *supervisor) storeArena() {
	if s.newArena && s.manager() != nil {
		s.newArena = false
		s.unstore(inherit.NameArena)
		for n := range arena.MaxParts {
			s.unstore(inherit.NamePart(n + 1))
		}
	}
	s.store(inherit.NameArena, s.arena.FD())
	for i, fd := range s.arena.Parts() {
		s.store(inherit.NamePart(i+1), fd)
	}
}

// giveArena adds all parts to a message.
func (s *supervisor) giveArena(fds *ipc.FDs) (first ipc.Slot, parts []ipc.Slot) {
	s.arena.Mend()
	first = fds.Add(s.arena.FD())
	for _, fd := range s.arena.Parts() {
		parts = append(parts, fds.Add(fd))
	}
	return first, parts
}

// grow makes a further part, keeps it, and tells everybody of it.
func (s *supervisor) grow(counters, records, totals int) error {
	if err := s.arena.Grow(counters, records, totals); err != nil {
		return err
	}
	n := len(s.arena.Parts())
	s.log.Info("the arena has grown", zap.Int("parts", n), zap.Int("records", s.arena.Records()))
	s.store(inherit.NamePart(n), s.arena.Parts()[n-1])
	for c := range s.children {
		s.tellParts(c)
	}
	return nil
}

// tellParts tells a process of all parts. It may have some of them; one that had no descriptor left for an earlier one gets it now. One that
// was not started yet gets all with its start, one that was taken over when it is known.
func (s *supervisor) tellParts(c *child) {
	if c.state == ipc.StateSpawned || c.resync || c.dying != "" || c.eof {
		return
	}
	for i, fd := range s.arena.Parts() {
		var fds ipc.FDs
		if !s.send(c, 0, ipc.ArenaPart{Index: i + 1, FD: fds.Add(fd)}, fd) {
			return
		}
	}
}

// askGrow is control's wish for room.
func (s *supervisor) askGrow(from request, b *ipc.ArenaGrow) {
	if s.upgrade != nil || s.adopting != nil || s.stop != nil {
		from.answer(s, ipc.Refused{Code: ipc.CodeBusy, Reason: "another supervisor takes over, or pingap is being stopped"})
		return
	}
	if err := s.grow(b.Counters, b.Records, b.Totals); err != nil {
		from.answer(s, ipc.Refused{Code: ipc.CodeResources, Reason: err.Error()})
		return
	}
	from.answer(s, ipc.ArenaGrown{Parts: len(s.arena.Parts()), Records: s.arena.Records()})
}

// makeRoom has the arena grow until it has room for the counters and totals that a proposal names, even if none of them is there yet. Where it cannot, a
// worker says so when it comes to that.
func (s *supervisor) makeRoom(counters, totals int) {
	counters, totals = min(counters, arena.MaxRows), min(totals, arena.MaxTotals)
	for {
		more, blocks := lacking(counters, s.arena.FreeCounters), lacking(totals, s.arena.FreeTotals)
		if more == 0 && blocks == 0 {
			return
		}
		if err := s.grow(more, 0, blocks); err != nil {
			s.log.Error("the arena does not grow", zap.Int("counters", more), zap.Int("totals", blocks), zap.Error(err))
			return
		}
	}
}

// lacking is what is wanted if there is not room for all of it; asking that costs something.
func lacking(wanted int, free func() int) int {
	if wanted <= 0 || free() >= wanted {
		return 0
	}
	return wanted
}
