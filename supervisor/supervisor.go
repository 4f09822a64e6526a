package supervisor

import (
	"context"
	"math"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/ipc"
	"pingap/supervisor/archive"
	"pingap/supervisor/inherit"
	"pingap/supervisor/ledger"
	"pingap/supervisor/rundir"
)

// States of the supervisor as StatusAll names them.
const (
	stateStarting  = "starting"
	stateRunning   = "running"
	stateApplying  = "applying"
	stateRolling   = "rolling"
	stateUpgrading = "upgrading"
	stateStopping  = "stopping"
)

// ErrRunning is the error of Run when a live instance owns the run directory.
var ErrRunning = rundir.ErrRunning

// event is something a goroutine saw and the loop must act on.
type event interface{}

type (
	received struct { // a message of a child; the loop closes it
		from *child
		msg  *ipc.Message
	}
	closed struct { // no more messages from a child
		from *child
		err  error
	}
	exited struct { // a child has ended
		from *child
		how  string
	}
	ownLog struct{ txn uint32 } // our own lines go to the new file
	due    struct{ timer *timer }
)

type supervisor struct {
	o   Options
	log *zap.Logger

	events chan event
	quit   chan struct{} // closed when the loop has ended: nobody takes events any more
	wg     sync.WaitGroup
	waits  sync.WaitGroup // for the ends of processes: not waited for when they are left to a successor

	spawner  *spawner
	runDir   *rundir.Dir
	in       *inherit.Set // what was found at the start; its strangers are used up later
	arena    *arena.Arena
	newArena bool // the arena is new, and what the service manager may have is not
	started  time.Time

	live      *version // nil until the first proposal is applied
	applies   uint64   // number of the last version
	txn       uint32
	op        *apply      // the one running, nil when idle
	queue     []*proposal // waiting for op
	lastApply *ipc.ApplyResult

	control    *slot
	workers    []*slot
	children   map[*child]struct{} // all that have not been reaped
	columns    []*child            // of the arena
	generation int                 // that is live
	last       int                 // highest there has been
	serial     int                 // of the last worker

	epoch          uint32
	adopting       *adoption // nil when all workers are known
	upgrade        *upgrading
	wantUpgrade    *upgrading // waits for what is under way
	foreign        bool       // the live version came from another build, whose workers serve still
	liveBuild      string     // that made the live version
	rejected       string     // why this build does not take the configuration, while foreign
	load           string     // why control is to load the source although something is live
	left           string     // why this process ends and leaves the workers
	bequeath       bool       // everything belongs to another supervisor: touch nothing at the end
	handOffTimer   *timer
	readied, busy  bool
	line           string // last STATUS=
	dirty, unsaved bool   // state file
	leaning        bool   // memory is given back soon
	leanest        int    // bytes that were resident when it was the last time

	vault         vault
	announcements announcements
	explaining    explaining
	ledger        *ledger.Book
	untold        []ipc.Record // entries that have ended and control does not know of
	telling       int          // of these, told and not answered
	gap           time.Time    // since when nobody accepts; zero while somebody does
	memory        int64        // of the machine or our share of it, bytes
	hurried       int          // workers told to drain faster, so far

	listeners map[string]*listener
	logs      map[string]*logFile
	reopens   map[uint32]*reopen
	rollTimer *timer
	tidy      archive.Schedule

	lastTick     time.Time
	reloadTimer  *timer // running: SIGHUPs are being held back
	reloadWanted bool

	stop   *stopping // nil until asked to stop
	result error     // of Run
	done   bool
}

// Run starts control and workers and keeps them until told to stop by ctx, a signal or control. It returns nil after a
// stop, an error when it could not start, or ErrRunning.
func Run(ctx context.Context, o Options) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	// What the caller's shell left open is not for children. Kernels before 5.11 cannot do it, and then inherit.
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	s := &supervisor{
		o: o, log: o.Log, started: time.Now(), lastTick: time.Now(),
		events: make(chan event), quit: make(chan struct{}),
		memory: o.Memory, children: map[*child]struct{}{}, listeners: map[string]*listener{}, logs: map[string]*logFile{},
		reopens: map[uint32]*reopen{},
		control: &slot{role: ipc.RoleControl},
	}
	defer s.release()
	if err := s.open(); err != nil {
		return err
	}
	if s.adopting == nil {
		s.spawn(s.control)
	} else if len(s.adopting.waiting) == 0 {
		s.adopted()
	}
	s.tick()
	s.rollLogs()
	s.loop(ctx)
	return s.result
}

// open acquires what the supervisor itself holds.
func (s *supervisor) open() error {
	var err error
	s.bequeath = s.o.Predecessor != nil // until it is told that it may go
	s.ledger = &ledger.Book{Log: s.log, Build: s.o.Build, Changed: s.changed, Accepted: s.accepted, Ended: s.ended}
	in, err := s.inherit()
	if err != nil {
		return err
	}
	s.in = in
	for _, name := range in.Useless() {
		s.unstore(name)
	}
	if err := s.openArena(in); err != nil {
		return err
	}
	s.columns = make([]*child, s.arena.Columns())
	if s.o.AppLog != nil {
		target := *s.o.AppLog
		target.ID = ipc.IDAppLog
		if err := s.openAppLog(target); err != nil {
			return err
		}
	}
	s.openVault(in)
	s.spawner = newSpawner(&s.wg)
	if in.State != nil {
		return s.adoptAll(in)
	}
	if err := s.runDir.WriteOwnPID(); err != nil {
		return err
	}
	s.storeAll() // listeners that are there without a state are for the first configuration to take
	return nil
}

func (s *supervisor) loop(ctx context.Context) {
	ended := ctx.Done()
	for !s.done {
		select {
		case e := <-s.events:
			s.handle(e)
		case sig := <-s.o.Signals:
			s.signal(sig)
		case <-ended:
			ended = nil
			s.beginStop(false, "context")
		}
		if s.dirty && !s.done {
			s.persist()
			s.lean()
		}
	}
}

func (s *supervisor) handle(e event) {
	switch e := e.(type) {
	case received:
		s.message(e.from, e.msg)
		e.msg.Close()
	case closed:
		e.from.eof = true
		s.closed(e.from, e.err)
	case exited:
		s.exited(e.from, e.how)
	case unheard:
		s.notHeard(e.from)
	case checked:
		s.binaryChecked(e.err)
	case asked:
		s.successorAsked(e.msg)
		e.msg.Close()
	case flipped:
		s.successorEnded(e.err)
	case tidied:
		s.tidyEnded(e)
	case ownLog:
		s.logsTaken(nil, e.txn)
	case due:
		if !e.timer.stopped {
			e.timer.stopped = true
			e.timer.do()
		}
	}
}

// post hands an event to the loop. Called by other goroutines; they end soon after it returns false.
func (s *supervisor) post(e event) bool {
	select {
	case s.events <- e:
		return true
	case <-s.quit:
		return false
	}
}

func (s *supervisor) signal(sig os.Signal) {
	s.log.Info("signal", zap.Stringer("signal", sig))
	switch sig {
	case unix.SIGHUP:
		s.reload()
	case unix.SIGUSR1:
		s.beginReopen(nil)
	case unix.SIGTERM, unix.SIGQUIT, unix.SIGINT:
		s.beginStop(s.stop != nil, sig.String())
	case unix.SIGWINCH:
		s.roll(nil, sig.String())
	case unix.SIGUSR2:
		s.askUpgrade(nil, sig.String())
	case HandOff:
		s.handOff()
	default:
		s.log.Warn("signal without effect", zap.Stringer("signal", sig))
	}
}

// HandOff is the signal to end and leave everything to a supervisor that is about to be started: SIGRTMIN+1, the unit's
// RestartKillSignal.
const HandOff = unix.Signal(35)

// release gives everything back after the loop; all children have ended by then, or are left to a successor.
func (s *supervisor) release() {
	close(s.quit)
	if s.bequeath {
		s.releaseToSuccessor()
		return
	}
	for c := range s.children {
		c.conn.Close()
	}
	if s.spawner != nil {
		s.spawner.close()
	}
	s.wg.Wait()
	s.waits.Wait()
	s.closeListeners()
	for _, f := range s.logs {
		f.close()
	}
	if s.live != nil {
		s.live.close()
	}
	if s.arena != nil {
		s.arena.Close()
	}
	if s.runDir != nil {
		s.runDir.Close()
	}
}

// releaseToSuccessor closes our copies. No path is removed, and nobody notices: another process has its own, or the service
// manager has.
func (s *supervisor) releaseToSuccessor() {
	for c := range s.children {
		c.conn.Close()
	}
	if s.spawner != nil {
		s.spawner.close()
	}
	s.wg.Wait()
	for _, l := range s.listeners {
		unix.Close(l.fd)
	}
	if s.runDir != nil {
		s.runDir.Leave()
	}
}

// fail ends a start that cannot succeed; Run returns err once the children have ended.
func (s *supervisor) fail(err error) {
	if s.result == nil && s.stop == nil {
		s.result = err
		s.log.Error("cannot start", zap.Error(err))
	}
	s.beginStop(true, "failed start")
}

// timer runs a function on the loop. Stopping it on the loop is final: it does not fire any more.
type timer struct {
	t       *time.Timer
	do      func()
	stopped bool
}

func (s *supervisor) after(d time.Duration, do func()) *timer {
	t := &timer{do: do}
	// The function ends when the loop has taken the event or has ended.
	t.t = time.AfterFunc(d, func() { s.post(due{t}) })
	return t
}

// cancel is for timers that may be nil.
func (t *timer) cancel() {
	if t != nil {
		t.stopped = true
		t.t.Stop()
	}
}
