package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/socket"
	"pingap/supervisor/state"
	"pingap/supervisor/systemd"
)

// inherited is what a supervisor finds of the one before it, however it came.
type inherited struct {
	how       string // ipc.Record..., "" for nothing
	state     *state.State
	arena     int // descriptors: -1 for none
	snapshot  int
	listeners map[string]int // by id
	logs      map[string]int // by id
	workers   map[int]*ipc.Conn
	rescues   map[int]int
	strangers []int // listening sockets without a known id: of a socket unit
}

func newInherited() *inherited {
	return &inherited{arena: -1, snapshot: -1, listeners: map[string]int{}, logs: map[string]int{}, workers: map[int]*ipc.Conn{},
		rescues: map[int]int{}}
}

// inherit takes the run directory and what an earlier supervisor left: handed over by it, kept by the service manager, or held by
// its orphaned workers.
func (s *supervisor) inherit() (*inherited, error) {
	if s.o.Predecessor != nil {
		return s.takeOver()
	}
	in := newInherited()
	control := s.sortStored(in)
	var err error
	if s.runDir, err = openRunDir(s.o.RunDir, control); err != nil {
		return nil, err
	}
	in.state, err = state.Read(s.o.RunDir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return in, nil
	case err != nil:
		s.log.Warn("nothing is taken over from the supervisor before", zap.Error(err))
		in.state = nil
		return in, nil
	}
	in.how = ipc.RecordCrash
	if in.state.Left != "" {
		in.how = ipc.RecordRestart
	}
	if len(in.workers) == 0 && len(in.state.Workers) > 0 {
		s.takeOrphans(in)
	}
	return in, nil
}

// sortStored finds out what each descriptor of the service manager is, and returns the control socket, -1 without one.
func (s *supervisor) sortStored(in *inherited) (control int) {
	control = -1
	for _, f := range s.o.Stored {
		serial, isWorker := strings.CutPrefix(f.Name, storedWorker)
		switch n, err := strconv.Atoi(serial); {
		case isWorker && err == nil && in.workers[n] == nil:
			conn, err := ipc.FromFD(f.FD)
			if err != nil {
				s.told(err)
				break
			}
			conn.RefuseFDs()
			s.told(conn.PassPID())
			in.workers[n] = conn
		case f.Name == storedControl && control < 0:
			control = f.FD
		case f.Name == storedArena && in.arena < 0:
			in.arena = f.FD
		case strings.HasPrefix(f.Name, storedSnapshot):
			s.storedSnapshots = append(s.storedSnapshots, f)
		case strings.HasPrefix(f.Name, "l-") && in.listeners[f.Name] == 0:
			in.listeners[f.Name] = f.FD
		default:
			in.strangers = append(in.strangers, f.FD)
		}
	}
	return control
}

// pickSnapshot takes the stored snapshot of the live version, and drops the others.
func (s *supervisor) pickSnapshot(in *inherited) {
	for _, f := range s.storedSnapshots {
		if in.snapshot < 0 && in.state != nil && in.state.Live != nil && f.Name == snapshotName(in.state.Live.SHA) {
			in.snapshot = f.FD
			continue
		}
		unix.Close(f.FD)
		s.unstore(f.Name)
	}
	s.storedSnapshots = nil
}

// takeOrphans collects what workers hold that have lost their supervisor.
func (s *supervisor) takeOrphans(in *inherited) {
	for serial, o := range s.callOrphans(in.state) {
		in.workers[serial] = o.conn
		take := func(slot ipc.Slot) int {
			fd, err := o.msg.Take(slot)
			if err != nil {
				return -1
			}
			return fd
		}
		for _, l := range o.body.Listeners {
			if fd := take(l.FD); fd >= 0 && in.listeners[ipc.ListenerID(l)] == 0 && socket.Bound(fd, l) {
				in.listeners[ipc.ListenerID(l)] = fd
			} else if fd >= 0 {
				unix.Close(fd)
			}
		}
		if in.arena < 0 {
			in.arena = take(o.body.Arena)
		}
		if live := in.state.Live; in.snapshot < 0 && live != nil && o.body.Status.SHA == live.SHA {
			in.snapshot = take(o.body.Snapshot)
		}
		o.msg.Close()
	}
}

// takeOver asks the supervisor that started this one for everything.
func (s *supervisor) takeOver() (*inherited, error) {
	conn := s.o.Predecessor.Conn
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Timings.Handover)
	defer cancel()
	ask := ipc.HandoverRequest{PID: os.Getpid(), Build: s.o.Build, ProtoMin: ipc.ProtoMin, ProtoMax: ipc.Version}
	if err := conn.Send(ctx, 1, ask); err != nil {
		return nil, fmt.Errorf("ask the supervisor before for everything: %w", err)
	}
	m, err := conn.Receive(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for the supervisor before: %w", err)
	}
	defer m.Close()
	switch b := m.Body.(type) {
	case *ipc.Handover:
		return s.unpack(m, b)
	case *ipc.Refused:
		return nil, errors.New("the supervisor before does not hand over: " + clip(b.Reason))
	}
	return nil, fmt.Errorf("%s from the supervisor before", m.Body.Type())
}

// unpack takes everything out of the message; what is missing is an error.
func (s *supervisor) unpack(m *ipc.Message, b *ipc.Handover) (*inherited, error) {
	in := newInherited()
	in.how = ipc.RecordUpgrade
	var failed error
	take := func(slot ipc.Slot) int {
		fd, err := m.Take(slot)
		failed = errors.Join(failed, err)
		return fd
	}
	in.state, failed = state.Decode(b.State)
	lock, control := take(b.Lock), take(b.Control)
	in.arena = take(b.Arena)
	if b.Snapshot != 0 {
		in.snapshot = take(b.Snapshot)
	}
	for id, slot := range b.Listeners {
		in.listeners[id] = take(slot)
	}
	for id, slot := range b.Logs {
		in.logs[id] = take(slot)
	}
	for serial, slot := range b.Rescues {
		in.rescues[serial] = take(slot)
	}
	for serial, slot := range b.Workers {
		conn, err := ipc.FromFD(take(slot))
		if err == nil {
			conn.RefuseFDs()
			err = conn.PassPID()
			in.workers[serial] = conn
		}
		failed = errors.Join(failed, err)
	}
	if failed != nil {
		return nil, fmt.Errorf("hand-over: %w", failed)
	}
	s.runDir = inheritRunDir(s.o.RunDir, lock, control)
	return in, nil
}

// stranger returns a listening socket at the address of l that a socket unit has given, -1 without one.
func (s *supervisor) stranger(l ipc.Listener) int {
	for i, fd := range s.strangers {
		if socket.Bound(fd, l) {
			s.strangers = append(s.strangers[:i:i], s.strangers[i+1:]...)
			return fd
		}
	}
	return -1
}

// storedFDs is what package systemd gives.
type storedFDs = []systemd.FD
