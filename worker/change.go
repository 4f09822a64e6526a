package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/config"
	"pingap/ipc"
	"pingap/telemetry"
	"pingap/worker/accesslog"
)

// maxSnapshot bounds a snapshot in bytes.
const maxSnapshot = 1 << 30

// change is a configuration on its way to being live.
type change struct {
	txn      uint32
	stop     context.CancelFunc // of the build that runs; nil without one
	dropped  bool               // the build's result is not wanted any more
	prepared *site
	wanted   []*listener // of what is prepared
	waiting  *waiting    // a Prepare that came while a dropped build still runs
}

// waiting is a Prepare that has been taken out of its message.
type waiting struct {
	txn      uint32
	prepare  *ipc.Prepare
	snapshot *os.File
	wanted   []*listener // all there are to be; new ones are not accepted on yet
	servers  []string    // that these lead to, as in recipe
}

func (c *change) cancel() {
	if c.stop != nil {
		c.stop()
	}
}

// refusal is why a worker cannot do as it is told.
type refusal struct {
	code, path string
	err        error
}

func (r *refusal) Error() string {
	if r.path == "" {
		return r.err.Error()
	}
	return r.path + ": " + r.err.Error()
}

func (r *refusal) Unwrap() error { return r.err }

// refuse names the object that cannot be built. What has no room is told from what is wrong.
func refuse(code, path string, err error) error {
	if errors.Is(err, arena.ErrFull) || errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM) {
		code = ipc.CodeResources
	}
	return &refusal{code, path, err}
}

// nackOf makes the answer of an error.
func nackOf(err error) ipc.Nack {
	var r *refusal
	if errors.As(err, &r) {
		return ipc.Nack{Code: r.code, Path: r.path, Message: err.Error()}
	}
	return ipc.Nack{Code: ipc.CodeInvalid, Message: err.Error()}
}

func takeSnapshot(m *ipc.Message, slot ipc.Slot, sha string) (*os.File, *config.Snapshot, error) {
	fd, err := m.Take(slot)
	if err != nil {
		return nil, nil, refuse(ipc.CodeInvalid, "", err)
	}
	memfd := os.NewFile(uintptr(fd), "snapshot")
	open, err := readSnapshot(memfd, sha)
	if err != nil {
		memfd.Close()
		return nil, nil, err
	}
	return memfd, open, nil
}

// readSnapshot reads a sealed memfd.
func readSnapshot(memfd *os.File, sha string) (*config.Snapshot, error) {
	data, err := ipc.ReadMemfd(int(memfd.Fd()), maxSnapshot)
	if err != nil {
		return nil, refuse(ipc.CodeInvalid, "", fmt.Errorf("snapshot: %w", err))
	}
	return openSnapshot(data, sha)
}

func openSnapshot(data []byte, sha string) (*config.Snapshot, error) {
	s, err := config.OpenSnapshot(data)
	if err != nil {
		return nil, refuse(ipc.CodeInvalid, "", err)
	}
	if got := s.Sha().String(); got != sha {
		return nil, refuse(ipc.CodeInvalid, "", fmt.Errorf("the snapshot is %s, announced was %s", got, sha))
	}
	return s, nil
}

// prepare starts to build a site off to the side.
func (w *worker) prepare(m *ipc.Message, b *ipc.Prepare) {
	if nack := w.mayPrepare(b); nack != nil {
		w.reply(m.Txn, *nack)
		return
	}
	if err := w.logs.take(m, b.Logs); err != nil {
		w.reply(m.Txn, nackOf(err))
		return
	}
	fd, err := m.Take(b.Snapshot)
	if err != nil {
		w.reply(m.Txn, nackOf(refuse(ipc.CodeInvalid, "", err)))
		return
	}
	wanted := w.addresses.list
	if b.Listeners != nil { // a supervisor that knows nothing of changed listeners sends none
		if wanted, err = w.addresses.take(m, b.Listeners); err != nil {
			unix.Close(fd)
			w.reply(m.Txn, nackOf(err))
			return
		}
	}
	w.variables.add(b.Env)
	next := &waiting{m.Txn, b, os.NewFile(uintptr(fd), "snapshot"), wanted, w.addresses.led(wanted)}
	if w.change.stop != nil {
		w.change.waiting = next
		return
	}
	w.beginBuild(next)
}

func (w *worker) mayPrepare(b *ipc.Prepare) *ipc.Nack {
	c := &w.change
	switch {
	case w.state != ipc.StateActive:
		return &ipc.Nack{Code: ipc.CodeBusy, Message: "the worker is " + w.state}
	case c.prepared != nil || c.waiting != nil || c.stop != nil && !c.dropped:
		return &ipc.Nack{Code: ipc.CodeBusy, Message: "another change is being prepared"}
	case b.Base != w.live.sha:
		return &ipc.Nack{Code: ipc.CodeNeedSnapshot, Message: fmt.Sprintf("made for %q, running %q", b.Base, w.live.sha)}
	}
	return nil
}

func (w *worker) beginBuild(p *waiting) {
	ctx, cancel := context.WithCancel(context.Background())
	w.change = change{txn: p.txn, stop: cancel, wanted: p.wanted}
	live := w.live
	w.wg.Go(func() { // ends with the build, which cancel shortens
		next, err := w.buildFrom(ctx, p, live)
		if !w.post(func() { w.built(next, err) }) {
			w.build.discard(next, live)
		}
	})
}

func (w *worker) buildFrom(ctx context.Context, p *waiting, live *site) (*site, error) {
	snapshot, err := readSnapshot(p.snapshot, p.prepare.SHA)
	var next *site
	if err == nil {
		next, err = w.build.build(ctx, recipe{snapshot: snapshot, number: p.prepare.Version, servers: p.servers, live: live})
	}
	if err != nil {
		p.snapshot.Close()
		return nil, err
	}
	next.memfd = p.snapshot
	return next, nil
}

// built is called with what the build goroutine made.
func (w *worker) built(next *site, err error) {
	c := w.change
	c.stop()
	w.change = change{}
	switch {
	case c.dropped:
		w.addresses.discard(c.wanted)
		w.build.discard(next, w.live)
		if c.waiting != nil {
			w.beginBuild(c.waiting)
		}
	case err != nil:
		w.log.Warn("configuration cannot be built", zap.Error(err))
		w.addresses.discard(c.wanted)
		w.logs.keep(w.live)
		w.reply(c.txn, nackOf(err))
	default:
		w.change = change{txn: c.txn, prepared: next, wanted: c.wanted}
		w.reply(c.txn, ipc.Prepared{SHA: next.sha})
	}
}

// commit makes the prepared site live.
func (w *worker) commit(txn uint32) ipc.Body {
	if w.change.prepared == nil || w.change.txn != txn {
		return ipc.Nack{Code: ipc.CodeBusy, Message: "nothing is prepared"}
	}
	old, next, wanted := w.live, w.change.prepared, w.change.wanted
	w.change = change{}
	w.goLive(next, len(wanted))
	w.listen(wanted)
	old.memfd.Close()
	w.collectAt = time.Now().Add(collectAfter)
	w.wg.Go(func() { closeUpstreams(old.upstreams, next.upstreams) }) // ends when their look-ups are cancelled
	w.log.Info("configuration committed", zap.Uint64("version", next.Version), zap.String("sha", next.sha),
		zap.Int("compiled", next.made.total()))
	return ipc.Committed{SHA: next.sha}
}

// goLive swaps a site in. It cannot fail.
func (w *worker) goLive(next *site, listeners int) {
	w.build.security.certificates.Use(next.certificates)
	w.proxy.SetSite(next.Site)
	w.sockets.Store(&next.sockets)
	w.gate.SetMax(next.basic.MaxConnections, listeners)
	w.setLevel(next.basic.LogLevel)
	w.appLog.SetJSON(next.basic.LogFormatJSON)
	w.beside.tap.SetHidden(accesslog.NewHidden(next.basic.LogRedactHeaders, next.basic.LogRedactQuery))
	w.build.retire(next)
	w.live = next
	w.logs.keep(next)
}

// setLevel sets the level of the application log. The configuration was checked; RUST_LOG is not in it.
func (w *worker) setLevel(level string) {
	if err := w.appLog.SetLevel(telemetry.PickLevel(level, w.o.RustLog)); err != nil {
		w.log.Warn("log level", zap.Error(err))
	}
}

// abort drops what is prepared or being built.
func (w *worker) abort(txn uint32) ipc.Body {
	c := &w.change
	if c.waiting != nil && c.waiting.txn == txn {
		w.dropWaiting()
	}
	if c.txn == txn {
		w.dropCurrent()
	}
	w.logs.keep(w.live)
	return ipc.Aborted{}
}

// abandon drops every change under way.
func (w *worker) abandon() {
	w.dropWaiting()
	w.dropCurrent()
}

func (w *worker) dropWaiting() {
	if c := &w.change; c.waiting != nil {
		c.waiting.snapshot.Close()
		w.addresses.discard(c.waiting.wanted)
		c.waiting = nil
	}
}

// dropCurrent drops what is prepared; what is being built is dropped when the build has ended.
func (w *worker) dropCurrent() {
	c := &w.change
	if c.stop != nil {
		c.dropped = true
		c.stop()
		return
	}
	if c.prepared != nil {
		w.addresses.discard(c.wanted)
		w.build.discard(c.prepared, w.live)
		w.change = change{}
	}
}
