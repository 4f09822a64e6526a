package inherit

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/secrets"
	"pingap/supervisor/socket"
)

// orphan is a worker that was found at its rescue socket.
type orphan struct {
	conn *ipc.Conn
	msg  *ipc.Message
	body *ipc.Orphan
}

// Orphans asks all workers of the state for what they hold, until ctx ends; path tells where a worker is found. Those that do not
// answer are not there, or cannot be led.
func (in *Set) Orphans(ctx context.Context, path func(serial int) string, log *zap.Logger) {
	var mu sync.Mutex // guards in
	var wg sync.WaitGroup
	for _, w := range in.State.Workers {
		wg.Go(func() { // ends with ctx
			o, err := call(ctx, path(w.Serial))
			if err != nil {
				log.Info("no orphan", zap.Int("pid", w.PID), zap.Error(err))
				return
			}
			mu.Lock()
			defer mu.Unlock()
			in.take(w.Serial, o)
		})
	}
	wg.Wait()
}

func call(ctx context.Context, path string) (*orphan, error) {
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

// take keeps what nobody has brought yet. A worker's word is not enough for a listener: the socket must be bound to what it says.
func (in *Set) take(serial int, o *orphan) {
	defer o.msg.Close()
	in.Workers[serial] = o.conn
	take := func(slot ipc.Slot) int {
		fd, err := o.msg.Take(slot)
		if err != nil {
			return noDescriptors
		}
		return fd
	}
	for _, l := range o.body.Listeners {
		id, fd := ipc.ListenerID(l), take(l.FD)
		if _, known := in.Listeners[id]; fd >= 0 && !known && socket.Bound(fd, l) {
			in.Listeners[id] = fd
		} else if fd >= 0 {
			unix.Close(fd)
		}
	}
	if t := o.body.Tickets; t.Valid() && (len(in.Tickets.Keys) == 0 || t.Since.After(in.Tickets.Since)) {
		in.Tickets = t
	}
	if fd := take(o.body.Arena); fd >= 0 {
		first := len(in.Arenas)
		if o.body.Status.State == ipc.StateActive { // those that drain may be of an older build, which had another
			first = 0
		}
		in.Arenas = slices.Insert(in.Arenas, first, fd)
	}
	for _, slot := range o.body.Parts {
		if fd := take(slot); fd >= 0 {
			in.Parts = append(in.Parts, fd)
		}
	}
	if fd := take(o.body.Items); fd >= 0 {
		in.told(Told{fd, min(o.body.Number, secrets.MaxNumber)}, o.body.Status.State == ipc.StateActive)
	}
	if live := in.State.Live; in.Snapshot < 0 && live != nil && o.body.Status.SHA == live.SHA {
		in.Snapshot = take(o.body.Snapshot)
	}
}

// told enters what an orphan was told, the newest first. Of equals those that are active come first: they are of the build that was live.
func (in *Set) told(t Told, active bool) {
	at := slices.IndexFunc(in.Told, func(o Told) bool { return t.Number > o.Number || active && t.Number == o.Number })
	if at < 0 {
		at = len(in.Told)
	}
	in.Told = slices.Insert(in.Told, at, t)
}
