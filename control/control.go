package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"pingap/control/admin/objects"
	"pingap/control/source"
	"pingap/ipc"
)

// Bounds of the exchange with the supervisor.
const (
	helloTime   = 30 * time.Second // for ControlStart to come
	sendTime    = 5 * time.Second  // for the supervisor to take a message
	answerTime  = 10 * time.Second // for status and reopen
	proposeTime = 2 * time.Minute  // for a proposal: the supervisor's own bounds are shorter
)

// Options of Run.
type Options struct {
	Conn   *ipc.Conn // to the supervisor; Run closes it
	Job    Job       // what to load, and how
	Watch  Watch
	Limits Limits // of validate children
	Build  string // of this image, for Hello
	// Executable runs validate children; default /proc/self/exe.
	Executable string
	// Log is this process's logger. LogFile gets the application log's file
	// at the start and after each reopen, LogSettings the level and the form
	// that each configuration wants, LogDropped tells how many lines are lost;
	// all may be nil.
	Log         *zap.Logger
	LogFile     func(ipc.LogTarget, *os.File) error
	LogSettings func(level string, json bool) error
	LogDropped  func() uint64
	// ACME says how certificates are got from CAs.
	ACME ACME
	// Plugins are what configurations may name, for forms and for what of their parameters is secret.
	Plugins []objects.Plugin
	// Docker is the socket of the Docker engine; empty is /var/run/docker.sock. Version is told to backends that are checked.
	Docker, Version string
	// PanelOnly serves what --admin implies and nothing else, whatever the source holds.
	PanelOnly bool
	// Become makes this process, root until now, run as a user for good. nil
	// where there is nothing to give up.
	Become func(uid, gid int) error
	// Beat is the time between two signs of life to the supervisor; 0 is 5 s.
	Beat time.Duration
}

// defaultBeat is a fraction of the silence after which the supervisor takes
// control for hung.
const defaultBeat = 5 * time.Second

// Watch says what a change of the source does by itself.
type Watch uint8

const (
	// WatchNone applies nothing by itself.
	WatchNone Watch = iota
	// WatchHot applies changes that are hot.
	WatchHot
	// WatchAll applies every change.
	WatchAll
)

// String is the word for it in status.
func (w Watch) String() string {
	switch w {
	case WatchHot:
		return "hot"
	case WatchAll:
		return "all"
	}
	return "none"
}

// limit is the heaviest class that a change seen by the watcher may have.
func (w Watch) limit() ipc.Class {
	if w == WatchAll {
		return ipc.ClassRoll
	}
	return ipc.ClassHot
}

// errStopped ends the loop when the supervisor says so.
var errStopped = errors.New("stopped by the supervisor")

// Run is the control process. It returns nil when the supervisor stops it or
// is gone, and when ctx ends.
func Run(ctx context.Context, opt Options) error {
	defer opt.Conn.Close()
	p, err := start(ctx, opt)
	if err != nil {
		return err
	}
	defer p.live.close()
	defer p.kept.close()
	defer p.issuing.close()
	defer p.acceptor.Close()
	defer p.closeArena()
	defer p.remote.close()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	defer wg.Wait()   // last: every goroutine ends with ctx
	defer cancel(nil) // before it
	p.wg = &wg

	p.replaced = func() { cancel(errStopped) }
	wg.Go(func() { p.receive(ctx, cancel) })
	wg.Go(func() { p.serveClients(ctx) })
	wg.Go(func() { p.telling.bus.Run(ctx) })
	wg.Go(func() { p.watchValidity(ctx) })
	p.runBackends(ctx)
	p.runAdmin(ctx)
	if err := p.send(ctx, 0, ipc.Ready{SHA: p.live.sha}); err != nil {
		return err
	}
	p.recall(ctx)
	p.loop(ctx)
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, errStopped) && !errors.Is(cause, io.EOF) {
		return cause
	}
	return nil
}

// start says hello and takes what the supervisor gives.
func start(ctx context.Context, opt Options) (*process, error) {
	if opt.Executable == "" {
		opt.Executable = "/proc/self/exe"
	}
	if opt.LogDropped == nil {
		opt.LogDropped = func() uint64 { return 0 }
	}
	if opt.Beat <= 0 {
		opt.Beat = defaultBeat
	}
	ctx, cancel := context.WithTimeout(ctx, helloTime)
	defer cancel()
	hello := ipc.Hello{PID: os.Getpid(), Build: opt.Build, ProtoMin: ipc.ProtoMin, ProtoMax: ipc.Version, Role: ipc.RoleControl}
	if err := opt.Conn.Send(ctx, 0, hello); err != nil {
		return nil, fmt.Errorf("hello to the supervisor: %w", err)
	}
	m, err := opt.Conn.Receive(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for the supervisor's start: %w", err)
	}
	defer m.Close()
	given, ok := m.Body.(*ipc.ControlStart)
	if !ok {
		return nil, fmt.Errorf("expected control_start from the supervisor, found %s", m.Body.Type())
	}
	return newProcess(opt, m, given)
}

func newProcess(opt Options, m *ipc.Message, given *ipc.ControlStart) (*process, error) {
	p := &process{opt: opt, log: opt.Log, events: make(chan func(context.Context)), answers: map[uint32]*pending{}, recalled: make(chan struct{}),
		remote:  newRemote(opt.Job.Location),
		writing: newWriting(),
		check:   validator{exe: opt.Executable, limits: opt.Limits}}
	fd, err := m.Take(given.Listener)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if p.acceptor, err = ipc.AcceptorFromFD(fd); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := p.takeLogs(m, given.Logs); err != nil {
		p.acceptor.Close()
		return nil, err
	}
	if err := p.takeVersions(m, given); err != nil {
		p.acceptor.Close()
		return nil, err
	}
	p.takeTelling()
	if err := p.takeIssuer(m, given); err != nil {
		p.acceptor.Close()
		return nil, err
	}
	p.takeArena(m, given)
	p.takeBackends(given)
	p.makeShown()
	p.makeWays(given, m)
	p.live = live{version: given.Version, sha: given.SHA}
	p.load = given.Load
	if p.root.as = given.RunAs; given.SHA != "" {
		p.runAs.tell(given.RunAs)
	}
	if given.Snapshot != 0 {
		fd, err := m.Take(given.Snapshot)
		if err != nil {
			p.acceptor.Close()
			return nil, fmt.Errorf("live snapshot: %w", err)
		}
		p.live.snapshot = os.NewFile(uintptr(fd), "live snapshot")
	}
	return p, nil
}

// takeLogs moves the application log to the file that came, if one did.
func (p *process) takeLogs(m *ipc.Message, logs []ipc.LogTarget) error {
	for _, l := range logs {
		if l.ID != ipc.IDAppLog || l.FD == 0 || p.opt.LogFile == nil {
			continue
		}
		fd, err := m.Take(l.FD)
		if err != nil {
			return fmt.Errorf("application log: %w", err)
		}
		if err := p.opt.LogFile(l, os.NewFile(uintptr(fd), l.Path)); err != nil {
			return fmt.Errorf("application log: %w", err)
		}
	}
	return nil
}

// live is the configuration that the workers run.
type live struct {
	version  uint64
	sha      string
	snapshot *os.File // sealed memfd; nil before the first
	// digest of the documents it was made from, or that were found to mean
	// the same; empty while not known.
	digest string
	// copyOf is the version that was rolled back to, 0 where it was loaded from the source.
	copyOf uint64
}

func (l *live) close() {
	if l.snapshot != nil {
		l.snapshot.Close()
	}
}

// begin is the first thing to do: load at boot and after a restart of the supervisor, only look after a crash.
func (p *process) begin(ctx context.Context) {
	if p.live.snapshot != nil {
		p.tell(p.live.snapshot, nil)
	}
	first := &request{by: orElse(p.load, "start"), limit: ipc.ClassRoll, boot: true, start: true}
	if p.live.sha != "" {
		first = &request{by: orElse(p.load, "control restart"), limit: ipc.ClassRoll, start: p.load != "", look: p.load == ""}
		if n := p.kept.newest; n != nil && n.Number == p.live.version && n.SHA == p.live.sha {
			p.live.digest, p.live.copyOf = n.Digest, n.CopyOf
		}
	}
	p.show(ctx)
	p.queue = append([]*request{first}, p.queue...)
	p.loading = true
	p.resumeBackends(ctx, func(ctx context.Context) {
		goOn := func(ctx context.Context) {
			p.loading = false
			p.next(ctx)
		}
		if p.live.sha == "" {
			goOn(ctx) // what is stored is told before the proposal
			return
		}
		p.tellStored(ctx, p.live.snapshot, goOn)
	})
}

// watch starts the watcher, after the first load: there is something to compare
// its first report with then.
func (p *process) watch(ctx context.Context) {
	if p.watchMode() == WatchNone || p.watching {
		return
	}
	p.watching = true
	report := func(c source.Change) {
		p.post(ctx, func(ctx context.Context) { p.changed(ctx, c) })
	}
	if p.remote.Remote != nil {
		p.wg.Go(func() { p.remote.Run(ctx, report) })
		return
	}
	p.wg.Go(func() {
		w := source.Watcher{Location: p.opt.Job.Location}
		err := w.Run(ctx, report)
		if err != nil {
			p.log.Error("the configuration is not watched any more", zap.Error(err))
		}
	})
}
