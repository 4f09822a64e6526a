package supervisor

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"

	"pingap/ipc"
)

func (s *supervisor) controlMessage(c *child, m *ipc.Message) error {
	c.lastSeen = time.Now()
	asks := request{c, m.Txn}
	switch b := m.Body.(type) {
	case *ipc.Hello:
		return s.controlHello(c, b)
	case *ipc.Ready:
		return s.controlReady(c)
	case *ipc.Status:
		c.status = tidyStatus(b)
		s.controlDropped(c, b.Dropped)
	case *ipc.Propose:
		p := &proposal{request: asks, Propose: b, snapshot: -1}
		err := p.complete(m)
		if err == nil {
			p.env, err = s.lookUp(b.Env)
		}
		if err != nil {
			s.refuse(p, ipc.Refused{Code: ipc.CodeInvalid, Reason: "the proposal makes no sense: " + err.Error()})
			return nil
		}
		s.propose(p)
	case *ipc.Refused:
		return s.controlGaveUp(b)
	case *ipc.StatusRequest:
		asks.answer(s, s.status())
	case *ipc.Reopen:
		s.beginReopen(&asks)
	case *ipc.Roll:
		s.roll(&asks, clip(b.RequestedBy))
	case *ipc.Upgrade:
		s.askUpgrade(&asks, clip(b.RequestedBy))
	case *ipc.HistoryRequest:
		asks.answer(s, ipc.History{Records: s.ledger.Records()})
	case *ipc.Stop:
		s.beginStop(b.Fast, clip(b.Who))
		asks.answer(s, ipc.Stopping{Timeout: s.stop.timeout})
	case *ipc.LogsTaken:
		s.logsTaken(c, m.Txn, b.Errors...)
	case *ipc.State:
		s.tell(asks, b)
	case *ipc.Announce:
		s.announce(asks, b)
	case *ipc.Explain:
		s.explain(asks, m, b)
	case *ipc.Recorded:
		s.recordsTold()
	case *ipc.StateRequest:
		asks.answer(s, s.vault.Part(b.Kind, b.After))
	case *ipc.ArenaGrow:
		s.askGrow(asks, b)
	case *ipc.Unknown:
		s.unknown(c, m.Txn, b.Of)
	default:
		return fmt.Errorf("%s from control", m.Body.Type())
	}
	return nil
}

func (s *supervisor) controlHello(c *child, b *ipc.Hello) error {
	if err := checkHello(c, b); err != nil {
		return err
	}
	c.state, c.hasLogs = ipc.StateStarting, true
	start := ipc.ControlStart{RunDir: s.o.RunDir, StateDir: s.o.StateDir, Build: s.o.Build}
	var fds ipc.FDs
	start.Listener = fds.Add(s.runDir.Control)
	if s.runDir.Admin >= 0 {
		start.Admin = fds.Add(s.runDir.Admin)
	}
	if f := s.logs[ipc.IDAppLog]; f != nil {
		start.Logs = logTargets([]*logFile{f}, &fds)
	}
	start.Arena, start.Parts = s.giveArena(&fds)
	start.Load, start.Items = s.load, s.vault.Len()
	if s.live != nil && !s.foreign {
		start.Version, start.SHA = s.live.number, s.live.sha
		start.Snapshot = fds.Add(s.live.snapshot)
		start.RunAs = s.live.runAs
	}
	if s.control.runAs != nil && s.o.OpenVersions != nil {
		for _, f := range s.o.OpenVersions() {
			defer f.Close()
			start.Versions = append(start.Versions, fds.Add(int(f.Fd())))
		}
	}
	for slot, open := range map[*ipc.Slot]func() *os.File{&start.ACME: s.o.OpenACME, &start.AdminDir: s.o.OpenAdmin} {
		if s.control.runAs == nil || open == nil {
			continue
		}
		if f := open(); f != nil {
			defer f.Close()
			*slot = fds.Add(int(f.Fd()))
		}
	}
	s.send(c, 0, start, fds...)
	return nil
}

func (s *supervisor) controlReady(c *child) error {
	if c.state != ipc.StateStarting {
		return fmt.Errorf("sends Ready while %s", c.state)
	}
	c.timer.cancel()
	c.state, c.readyAt = ipc.StateActive, time.Now()
	s.log.Info("active", c.fields())
	if !s.foreign {
		s.load = "" // it has been told; should it crash, what is live is enough
	}
	s.telling = 0 // what the one before did not answer is told again
	s.tellRecords()
	if s.reloadWanted {
		s.reload()
	}
	return nil
}

// controlGaveUp ends a start whose configuration control could not load.
func (s *supervisor) controlGaveUp(b *ipc.Refused) error {
	if s.live != nil && !s.foreign {
		return fmt.Errorf("sends Refused while a configuration is live")
	}
	why := clip(b.Reason)
	for _, e := range b.Errors {
		why += "\n" + clip(e)
		if len(why) > 64*maxText {
			break
		}
	}
	if s.foreign {
		s.rejected = clip(strings.TrimSpace(why))
		s.log.Error("this build does not take the configuration, the workers of the build before it serve on", zap.String("reason", s.rejected))
		return nil
	}
	s.fail(errors.New(strings.TrimSpace(why)))
	return nil
}

// reload asks control to load its source again. SIGHUPs that come faster than ReloadInterval are one.
func (s *supervisor) reload() {
	s.reloadWanted = true
	if s.reloadTimer != nil || s.stop != nil {
		return
	}
	c := s.control.current
	if c == nil || !c.active() {
		s.log.Warn("reload waits for control")
		return
	}
	s.reloadWanted = false
	s.send(c, 0, ipc.Reload{RequestedBy: "SIGHUP"})
	s.reloadTimer = s.after(s.o.Timings.ReloadInterval, func() {
		s.reloadTimer = nil
		if s.reloadWanted {
			s.reload()
		}
	})
}

// degraded lists what is not as it should be.
func (s *supervisor) degraded() []string {
	var why []string
	if s.foreign {
		why = append(why, strings.TrimSpace("workers of the build before this one serve still; "+s.rejected))
	}
	for _, sl := range append([]*slot{s.control}, s.workers...) {
		if sl.current != nil && (sl.current.active() || sl.failures == 0) || s.live == nil {
			continue
		}
		why = append(why, fmt.Sprintf("%s is not active; %d ends in a row, the last: %s", sl.name(), sl.failures, sl.lastExit))
	}
	return why
}
