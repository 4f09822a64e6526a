package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pingap/arena"
	"pingap/ipc"
	"pingap/plugins"
	"pingap/telemetry"
	"pingap/worker/accept"
	"pingap/worker/endpoints"
	"pingap/worker/process"
	"pingap/worker/proxy"
	"pingap/worker/tail"
	"pingap/worker/tally"
	"pingap/worker/trace"
)

// worker is the state of Run. Fields belong to the loop unless their comment says otherwise.
type worker struct {
	o      Options
	conn   *ipc.Conn // nil while there is no supervisor
	began  time.Time
	appLog *telemetry.Log
	log    *zap.Logger
	arena  *arena.Arena
	totals tally.Beat
	proxy  *proxy.Proxy // any goroutine
	build  *builder     // the build goroutine's while there is one
	// services are what plugins are lent, one value as long as the process lives; any goroutine.
	services *plugins.Services
	logs     *outlets     // any goroutine
	gate     *accept.Gate // any goroutine

	variables variables // any goroutine
	// sockets are the options for accepted connections; any goroutine.
	sockets  atomic.Pointer[accept.Sockets]
	acceptor *accept.Acceptor

	state     string
	live      *site
	change    change
	collectAt time.Time // when the garbage of the last change is to be collected; zero for not
	addresses addresses
	beside    beside
	announcer announcer
	// explaining are the questions that are being answered.
	explaining int
	drain      *draining
	heart      *heart
	lifeline   lifeline
	column     int // of the arena
	ended      bool
	err        error

	events chan func()   // what the loop is to do
	jobs   chan func()   // what the log goroutine is to do
	done   chan struct{} // closed when Run ends

	beats   atomic.Int64 // connections of the heartbeat so far
	wg      sync.WaitGroup
	accepts sync.WaitGroup
	conns   sync.WaitGroup
}

// Run is the worker process. It returns nil when the worker has drained or was told to stop, and an error when it could
// not start or lost its supervisor in the middle of that.
func Run(ctx context.Context, o Options) error {
	o.Timings = o.Timings.withDefaults()
	w := &worker{o: o, conn: o.Conn, began: time.Now(), state: ipc.StateSpawned, log: zap.NewNop(),
		addresses: addresses{names: []string{beatServer}}, announcer: newAnnouncer(),
		events: make(chan func()), jobs: make(chan func(), maxJobs), done: make(chan struct{})}
	defer w.close()
	if err := w.begin(ctx); err != nil {
		return err
	}
	conn := w.conn
	w.wg.Go(func() { w.receive(conn) })                            // ends when the connection is closed
	w.wg.Go(func() { w.heartAcceptor().Accept(w.heart.listener) }) // ends when it is closed
	w.wg.Go(w.beating)                                             // ends with done
	w.wg.Go(w.hearing)                                             // ends with done
	w.wg.Go(w.runJobs)                                             // ends when jobs is closed
	w.wg.Go(func() { w.beside.tap.Run(w.done) })                   // ends with done
	w.conns.Go(w.proxy.Run)                                        // ends with proxy.Close
	if err := w.send(0, ipc.Ready{SHA: w.live.sha}); err != nil {
		return err
	}
	w.state = ipc.StateReady
	w.loop(ctx)
	return w.err
}

// begin says hello and builds everything from what comes.
func (w *worker) begin(ctx context.Context) error {
	if w.o.OwnProcess {
		process.Name()
		process.Prompt()
	}
	if err := w.send(0, w.hello()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, w.o.Timings.Start)
	defer cancel()
	m, err := w.conn.Receive(ctx)
	if err != nil {
		return fmt.Errorf("wait for the supervisor's start: %w", err)
	}
	defer m.Close()
	start, ok := m.Body.(*ipc.Start)
	if !ok {
		return fmt.Errorf("expected Start from the supervisor, found %s", m.Body.Type())
	}
	w.state = ipc.StateStarting
	if err := w.start(ctx, m, start); err != nil {
		return errors.Join(err, w.send(m.Txn, nackOf(err)))
	}
	return nil
}

// hello says who this is.
func (w *worker) hello() ipc.Hello {
	h := ipc.Hello{PID: os.Getpid(), StartTime: process.StartTime(), Build: w.o.Build, ProtoMin: ipc.ProtoMin, ProtoMax: ipc.Version,
		Role: ipc.RoleWorker, Slot: w.o.Slot, Generation: w.o.Generation}
	if w.live != nil {
		h.SHA = w.live.sha
	}
	return h
}

// start takes what Start gives and builds the first site.
func (w *worker) start(ctx context.Context, m *ipc.Message, s *ipc.Start) error {
	memfd, open, err := takeSnapshot(m, s.Snapshot, s.SHA)
	if err != nil {
		return err
	}
	defer func() {
		if w.live == nil {
			memfd.Close()
		}
	}()
	basic, err := open.Basic()
	if err != nil {
		return refuse(ipc.CodeInvalid, "basic", err)
	}
	if err := w.openLog(m, s.Logs, basic); err != nil {
		return err
	}
	if w.o.OwnProcess {
		process.Limit(w.log, s.Threads, s.Slots)
	}
	if err := w.takeArena(m, s); err != nil {
		return err
	}
	if w.proxy, err = proxy.New(proxy.Options{Logger: w.log.Named("proxy"), Challenge: w.beside.book.Answer}); err != nil {
		return refuse(ipc.CodeResources, "", err)
	}
	w.beside.tap = tail.New(os.Getpid(), w.switchTap)
	w.openGate()
	w.logs = newOutlets(w.appLog, w.log, w.o.Version)
	if err := w.logs.take(m, s.Logs); err != nil {
		return err
	}
	if w.addresses.list, err = w.addresses.take(m, s.Listeners); err != nil {
		return err
	}
	if err := w.takeRescue(m, s); err != nil {
		return err
	}
	w.variables.add(s.Env)
	if w.heart, err = newHeart(w.logs); err != nil {
		return refuse(ipc.CodeResources, "", err)
	}
	w.services = &plugins.Services{Log: w.log.Named("plugin"), Arena: w.arena, Figures: w.figures, Tell: w.announce, Images: w.makePicture}
	w.build = w.newBuilder()
	next, err := w.build.build(ctx, recipe{snapshot: open, number: s.Version, servers: w.addresses.led(w.addresses.list)})
	if err != nil {
		return err
	}
	next.memfd = memfd
	w.goLive(next, len(w.addresses.list))
	return nil
}

func (w *worker) newBuilder() *builder {
	return &builder{
		registry: plugins.NewRegistry(w.o.Plugins, w.variables.lookup).WithServices(w.services), env: w.variables.lookup, version: w.o.Version, arena: w.arena, endpoints: endpoints.New(w.arena),
		log: w.log, logs: w.logs, traces: trace.NewExporters(w.log.Named("trace"), w.o.Version), owners: &owners{uses: map[*shared]int{}},
		beat: w.heart.server, security: w.newSecurity(),
	}
}

func (w *worker) takeArena(m *ipc.Message, s *ipc.Start) error {
	fd, err := m.Take(s.Arena)
	if err != nil {
		return refuse(ipc.CodeInvalid, "", err)
	}
	w.column = s.Column
	if w.arena, err = arena.Map(fd, s.Column); err != nil {
		return refuse(ipc.CodeResources, "", err)
	}
	for i, slot := range s.Parts {
		if err := w.addPart(m, slot); err != nil {
			return refuse(ipc.CodeResources, "", fmt.Errorf("part %d: %w", i+1, err))
		}
	}
	return nil
}

func (w *worker) addPart(m *ipc.Message, slot ipc.Slot) error {
	fd, err := m.Take(slot)
	if err != nil {
		return err
	}
	return w.arena.AddPart(fd)
}

// takePart takes more shared memory, in whatever state. Without it this worker has no records there, and refuses sites that would name
// counters there.
func (w *worker) takePart(m *ipc.Message, b *ipc.ArenaPart) {
	if err := w.addPart(m, b.FD); err != nil {
		w.log.Error("part of the arena not taken", zap.Int("part", b.Index), zap.Error(err))
	}
}

// loop acts on one event after the other until the worker is to end.
func (w *worker) loop(ctx context.Context) {
	for !w.ended {
		select {
		case do := <-w.events:
			do()
		case <-w.o.Signals:
			w.signalled()
		case <-ctx.Done():
			w.end(ctx.Err())
		}
	}
}

// post has the loop do something; false when it has ended.
func (w *worker) post(do func()) bool {
	select {
	case w.events <- do:
		return true
	case <-w.done:
		return false
	}
}

// after posts once a time has passed; Stop of the timer may come too late, so do must bear it.
func (w *worker) after(d time.Duration, do func()) *time.Timer {
	return time.AfterFunc(d, func() { w.post(do) })
}

// end makes the loop end.
func (w *worker) end(err error) { w.ended, w.err = true, err }

// send answers the supervisor.
func (w *worker) send(txn uint32, body ipc.Body, fds ...int) error {
	ctx, cancel := context.WithTimeout(context.Background(), w.o.Timings.Send)
	defer cancel()
	return w.conn.Send(ctx, txn, body, fds...)
}

// close ends everything that Run started, in whatever state. Connections that are left are cut.
func (w *worker) close() {
	close(w.done)
	w.closeListeners()
	w.accepts.Wait()
	w.stopTimers()
	if w.heart != nil {
		w.heart.listener.Close()
	}
	w.lifeline.close()
	if w.conn != nil {
		w.conn.Close()
	}
	quiet := w.cut()
	close(w.jobs)
	w.change.cancel()
	w.wg.Wait()
	if w.build != nil {
		w.build.close(w.live, w.change.prepared)
		w.build.traces.Wait(w.flushTime())
		w.tell()
	}
	if w.heart != nil {
		w.heart.close()
	}
	if w.logs != nil {
		w.logs.close()
	}
	if w.lifeline.rescue != nil {
		w.lifeline.rescue.Close()
	}
	if w.arena != nil && quiet && !w.o.OwnProcess { // a process that ends needs no unmapping
		w.arena.Close()
	}
	if w.appLog != nil {
		_ = w.appLog.Close() // there is nowhere left to say it
	}
}

// cut closes what connections are left and reports whether all have ended in time.
func (w *worker) cut() bool {
	if w.proxy == nil {
		return true
	}
	over := make(chan struct{})
	go func() { // ends with the connections; one that waits for a silent upstream may take as long as the process
		w.proxy.Close()
		w.conns.Wait()
		close(over)
	}()
	timer := time.NewTimer(w.o.Timings.Cut)
	defer timer.Stop()
	select {
	case <-over:
		return w.proxy.Stats().InFlight == 0
	case <-timer.C:
		return false
	}
}
