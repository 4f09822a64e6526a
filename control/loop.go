package control

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"pingap/arena"
	"pingap/control/endpoints"
	"pingap/control/health"
	"pingap/control/source"
	"pingap/ipc"
)

// process is the state of control. Everything below "loop" belongs to the loop's
// goroutine; post brings others' work there.
type process struct {
	opt      Options
	log      *zap.Logger
	acceptor *ipc.Acceptor
	check    validator
	events   chan func(context.Context)
	reading  sync.Mutex // held while a client's status reads the source
	wg       *sync.WaitGroup
	recalled chan struct{} // closed when it is known what versions are kept
	replaced func()        // ends Run: another supervisor has taken over
	stateDir string        // empty: nothing is kept
	arena    *arena.Arena  // shared with all workers; nil where the supervisor gave none
	backends *endpoints.Directory
	writing  writing
	checker  *health.Checker
	pictures pictures
	shown    shown
	ways     ways
	runAs    runAs
	stale    bool        // the supervisor has items of a control process before this one
	given    [2]*os.File // the folder in it and its key, opened by the supervisor; nil where this process may do so itself

	// loop
	live     live
	load     string // why the source is loaded at the start although something may be live
	txn      uint32
	answers  map[uint32]*pending
	queue    []*request // waiting for the next load
	loading  bool
	watching bool
	seen     string               // digest of the newest contents that were loaded or are being loaded
	versions []ipc.AppliedVersion // newest last, at most maxVersions
	lastLoad loadResult
	root     root
	kept     kept
	issuing  issuing
	remote   remote // its source may be used by all goroutines
	files    files
	telling  telling // its bus may be used by all
}

// pending is an answer of the supervisor that is waited for.
type pending struct {
	use   func(context.Context, ipc.Body) // nil body: none came in time
	timer *time.Timer
}

// loop runs what is posted until ctx ends, and tells the supervisor that it does.
func (p *process) loop(ctx context.Context) {
	beat := time.NewTicker(p.opt.Beat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			p.beat()
		case f := <-p.events:
			f(ctx)
		}
	}
}

// beat does not wait for a supervisor that does not read.
func (p *process) beat() {
	if err := p.opt.Conn.TrySend(0, ipc.Status{State: ipc.StateActive, Dropped: p.root.dropped, LogDropped: p.opt.LogDropped()}); err != nil {
		p.logSend(err)
	}
}

// post runs f in the loop, unless that has ended.
func (p *process) post(ctx context.Context, f func(context.Context)) {
	select {
	case p.events <- f:
	case <-ctx.Done():
	}
}

// receive brings the supervisor's messages to the loop. It ends with the
// connection, and then ends Run.
func (p *process) receive(ctx context.Context, end context.CancelCauseFunc) {
	for {
		m, err := p.opt.Conn.Receive(ctx)
		if err != nil {
			end(err)
			return
		}
		if _, ok := m.Body.(*ipc.Stop); ok {
			m.Close()
			end(errStopped)
			return
		}
		p.post(ctx, func(ctx context.Context) { p.message(ctx, m) })
	}
}

// message handles what the supervisor sent.
func (p *process) message(ctx context.Context, m *ipc.Message) {
	defer m.Close()
	switch b := m.Body.(type) {
	case *ipc.Reload:
		p.ask(ctx, &request{by: orElse(b.RequestedBy, "SIGHUP"), limit: ipc.ClassRoll})
	case *ipc.LogFDs:
		var taken ipc.LogsTaken
		if err := p.takeLogs(m, b.Logs); err != nil {
			p.log.Error("new log file not taken", zap.Error(err))
			taken.Errors = []string{err.Error()}
		}
		p.logSend(p.send(ctx, m.Txn, taken))
	case *ipc.ArenaPart:
		p.takePart(m, b)
	case *ipc.Recorded:
		p.recorded(b)
		p.logSend(p.send(ctx, m.Txn, ipc.Recorded{}))
	default:
		if a, ok := p.answers[m.Txn]; ok && m.Txn != 0 {
			a.timer.Stop()
			delete(p.answers, m.Txn)
			a.use(ctx, m.Body)
			return
		}
		p.log.Warn("message from the supervisor that nobody waits for", zap.Stringer("type", m.Body.Type()))
	}
}

// request sends body to the supervisor; use gets the answer in the loop, or nil.
func (p *process) request(ctx context.Context, body ipc.Body, limit time.Duration, use func(context.Context, ipc.Body), fds ...int) {
	p.txn++
	txn := p.txn
	if err := p.send(ctx, txn, body, fds...); err != nil {
		p.logSend(err)
		use(ctx, nil)
		return
	}
	p.answers[txn] = &pending{use: use, timer: time.AfterFunc(limit, func() {
		p.post(ctx, func(ctx context.Context) {
			if a, ok := p.answers[txn]; ok {
				delete(p.answers, txn)
				a.use(ctx, nil)
			}
		})
	})}
}

func (p *process) send(ctx context.Context, txn uint32, body ipc.Body, fds ...int) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	if err := p.opt.Conn.Send(ctx, txn, body, fds...); err != nil {
		return fmt.Errorf("to the supervisor: %w", err)
	}
	return nil
}

// logSend logs a message that could not be sent. When the supervisor is gone,
// receive ends the process.
func (p *process) logSend(err error) {
	if err != nil {
		p.log.Error("message not sent", zap.Error(err))
	}
}

// changed handles a report of the watcher.
func (p *process) changed(ctx context.Context, c source.Change) {
	switch {
	case p.remote.Remote != nil:
		p.remoteChanged(ctx, c)
	case c.Err != nil:
		p.log.Warn("the configuration cannot be read, what is live stays", zap.Error(c.Err))
		p.tellRefused("autoreload", &ipc.Refused{Reason: c.Err.Error()})
	case c.Digest == p.live.digest || c.Digest == p.seen:
		p.seen = c.Digest
	case p.seen == "":
		// The look after a crash has failed: this is where changes count from.
		p.seen = c.Digest
	default:
		p.seen = c.Digest
		p.ask(ctx, &request{by: "autoreload", limit: p.opt.Watch.limit()})
	}
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
