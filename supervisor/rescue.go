package supervisor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/socket"
	"pingap/supervisor/state"
)

// A rescue socket is where a worker can be found that has lost its supervisor: bound here, accepted on by the worker while it
// is an orphan. Where a service manager keeps the control sockets, no worker ever is one.

func (r *runDir) rescuePath(serial int) string {
	return filepath.Join(r.path, fmt.Sprintf("w-%d.sock", serial))
}

// listenRescue returns -1 when it cannot be made: the worker serves without.
func (s *supervisor) listenRescue(serial int) int {
	path := s.runDir.rescuePath(serial)
	os.Remove(path) // of an instance before: the lock is ours
	fd, err := socket.ListenUnix(path, unix.SOCK_SEQPACKET, 0o600, 1)
	if err != nil {
		s.log.Warn("rescue socket", zap.Error(err))
		return -1
	}
	return fd
}

func (r *runDir) closeRescue(serial, fd int) {
	unix.Close(fd)
	os.Remove(r.rescuePath(serial))
}

// orphan is a worker that was found at its rescue socket.
type orphan struct {
	conn *ipc.Conn
	msg  *ipc.Message
	body *ipc.Orphan
}

// callOrphans asks all workers of the state for what they hold. Those that do not answer are not there, or cannot be led.
func (s *supervisor) callOrphans(st *state.State) map[int]*orphan {
	found := map[int]*orphan{}
	var mu sync.Mutex // guards found
	var wg sync.WaitGroup
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Timings.Rescue)
	defer cancel()
	for _, w := range st.Workers {
		wg.Go(func() { // ends with ctx
			o, err := callOrphan(ctx, s.runDir.rescuePath(w.Serial))
			if err != nil {
				s.log.Info("no orphan", zap.Int("pid", w.PID), zap.Error(err))
				return
			}
			mu.Lock()
			found[w.Serial] = o
			mu.Unlock()
		})
	}
	wg.Wait()
	return found
}

func callOrphan(ctx context.Context, path string) (*orphan, error) {
	conn, err := ipc.Dial(ctx, path)
	if err != nil {
		return nil, err
	}
	conn.TakeFDs()
	err = conn.PassPID()
	var m *ipc.Message
	if err == nil {
		m, err = conn.Receive(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	body, ok := m.Body.(*ipc.Orphan)
	if !ok {
		m.Close()
		conn.Close()
		return nil, fmt.Errorf("%s instead of Orphan", m.Body.Type())
	}
	conn.RefuseFDs()
	return &orphan{conn, m, body}, nil
}
