package supervisor

import (
	"errors"
	"os"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/systemd"
)

// MaxWorkers bounds the worker processes: two generations of them must fit the columns of the arena.
const MaxWorkers = 8

// Options of Run. RunDir is required.
type Options struct {
	Executable   string            // image of the children, "" = /proc/self/exe
	RunDir       string            // holds the control socket and the pid file; made 0750 where missing
	StateDir     string            // told to control
	OpenVersions func() []*os.File // opens what a control process without root may not, for ControlStart.Versions; nil = nothing
	OpenACME     func() *os.File   // likewise the folder of issued certificates, for ControlStart.ACME; nil = nothing

	OpenAdmin func(ipc.Credential) *os.File // likewise that of the admin interface, for ControlStart.AdminDir; made for that user where missing; nil = nothing

	Workers     int      // number of workers, 0 = as the configuration says, or 1 up to 2 cores, else 2
	ControlArgs []string // arguments of control after its role
	ControlEnv  []string // environment of control, nil = this process's
	WorkerEnv   []string // environment of workers: just this, and no secrets in it
	// Env looks up the variables that a configuration names, which workers are told. Their values must not change. nil finds none.
	Env func(name string) (string, bool)
	// LookUpUser finds the user and group of the configuration, or those for empty names; called only when root. Required then.
	LookUpUser func(user, group string) (ipc.Credential, error)
	AppLog     *ipc.LogTarget // file of the application log, nil = standard error; opened here, passed to all
	// OnAppLog gets that file, for Log, when it is opened and each time it is replaced. It must not block; it calls taken,
	// from any goroutine, once nothing goes to the old file any more. nil leaves Log where it is.
	OnAppLog func(file *os.File, taken func())
	// OnLogSettings gets what a configuration wants of Log when it has become live; must not block. nil leaves Log as it is.
	OnLogSettings func(level string, json bool)
	LogDropped    func() uint64    // lines that Log has lost, for status; nil = 0
	Signals       <-chan os.Signal // HUP, USR1, TERM, QUIT, INT, as package os/signal delivers them
	OnReady       func()           // called once, when all workers accept; must not block
	Log           *zap.Logger      // nil = none
	Build         string           // Go build id of this image

	Manager     *systemd.Notifier // nil without a service manager
	Stored      []systemd.FD      // what the service manager gave; owned by Run
	KeepStored  bool              // a stop may be half of a restart: what is stored stays so (systemd below 245)
	Watchdog    time.Duration     // within which the manager wants a sign of life; 0 = none
	Upgrader    Upgrader          // nil: no upgrade in place
	Memory      int64             // bytes of the machine or of our share of it; 0 = the machine's
	NoUpgrade   string            // and why
	Predecessor *Predecessor      // the supervisor that started this one, nil for none
	Timings     Timings

	Now func() time.Time // wall clock, for the names of log files and the age of ticket keys; nil = time.Now
}

// Timings are the bounds of every wait; zero fields have the default.
type Timings struct {
	Ready          time.Duration // spawn to READY of a child, 30 s
	Active         time.Duration // ACTIVATE to ACTIVE, 10 s
	Prepare        time.Duration // PREPARE to the last PREPARED, 5 s
	Commit         time.Duration // COMMIT to the last COMMITTED, then the rest is killed, 2 s
	Heartbeat      time.Duration // silence after which a worker is taken for hung, 10 s
	Control        time.Duration // silence after which control is taken for hung, 30 s
	Abort          time.Duration // SIGABRT (stack dump) to SIGKILL of a hung child, 2 s
	Reopen         time.Duration // LOG_FDS to the last ack, 5 s
	BackoffStep    time.Duration // second restart of a slot; doubles from there, 100 ms
	BackoffMax     time.Duration // longest wait before a restart, 5 s
	BackoffReset   time.Duration // life as ready after which failures are forgotten, 60 s
	Grace          time.Duration // drain time-out where the configuration names none, 300 s
	IdleGrace      time.Duration // idle connections of a draining worker stay usable, 2 s
	StopMargin     time.Duration // drain time-out to SIGKILL where the configuration names none, 5 s
	StopFast       time.Duration // STOP to SIGKILL, 2 s
	ReloadInterval time.Duration // SIGHUPs within it are one, 200 ms

	TicketKey time.Duration // that a key makes TLS session tickets, 12 h
	State     time.Duration // for workers to take certificates and the like, 5 s
	Announce  time.Duration // for workers to answer an announcement, 2 s
	SaveState time.Duration // changes of them within it are stored at once, 1 s

	// Where the configuration names none:
	Spread         time.Duration // closing of idle connections of a draining worker, 10 s
	Long           time.Duration // tunnels and the like of a draining worker, 1 h
	MaxGenerations int           // that drain at a time, 4

	Quiet      time.Duration // for handshakes under way before listeners are closed by a stop, 100 ms
	LastWords  time.Duration // of a process that has ended, 1 s
	HardMargin time.Duration // longest time-out of a drain to the kernel's SIGKILL, 10 s
	Faster     time.Duration // for a generation that has to go, 5 s
	Rescue     time.Duration // for orphans to answer, 3 s
	Adopt      time.Duration // for workers to answer who took them over, 5 s
	Handover   time.Duration // for the supervisor before to answer, 10 s
	Check      time.Duration // of a new binary, 20 s
	Barrier    time.Duration // for the service manager to learn of a successor, 2 s
	HandOff    time.Duration // for what is under way at a restart, 2 s
}

func (t Timings) withDefaults() Timings {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&t.Ready, 30*time.Second)
	set(&t.Active, 10*time.Second)
	set(&t.Prepare, 5*time.Second)
	set(&t.Commit, 2*time.Second)
	set(&t.Heartbeat, 10*time.Second)
	set(&t.Control, 30*time.Second)
	set(&t.Abort, 2*time.Second)
	set(&t.Reopen, 5*time.Second)
	set(&t.BackoffStep, 100*time.Millisecond)
	set(&t.BackoffMax, 5*time.Second)
	set(&t.BackoffReset, time.Minute)
	set(&t.Grace, 300*time.Second)
	set(&t.IdleGrace, 2*time.Second)
	set(&t.StopMargin, 5*time.Second)
	set(&t.StopFast, 2*time.Second)
	set(&t.ReloadInterval, 200*time.Millisecond)
	set(&t.TicketKey, 12*time.Hour)
	set(&t.State, 5*time.Second)
	set(&t.Announce, 2*time.Second)
	set(&t.SaveState, time.Second)
	set(&t.Spread, 10*time.Second)
	set(&t.Long, time.Hour)
	set(&t.HardMargin, 10*time.Second)
	set(&t.Quiet, 100*time.Millisecond)
	set(&t.LastWords, time.Second)
	set(&t.Faster, 5*time.Second)
	set(&t.Rescue, 3*time.Second)
	set(&t.Adopt, 5*time.Second)
	set(&t.Handover, 10*time.Second)
	set(&t.Check, 20*time.Second)
	set(&t.Barrier, 2*time.Second)
	set(&t.HandOff, 2*time.Second)
	if t.MaxGenerations == 0 {
		t.MaxGenerations = 4
	}
	return t
}

func (o Options) withDefaults() (Options, error) {
	if o.RunDir == "" {
		return o, errors.New("supervisor: no run directory")
	}
	if o.Executable == "" {
		o.Executable = "/proc/self/exe"
	}
	if o.ControlEnv == nil {
		o.ControlEnv = os.Environ()
	}
	if o.Env == nil {
		o.Env = func(string) (string, bool) { return "", false }
	}
	if o.LookUpUser == nil && os.Geteuid() == 0 {
		o.LookUpUser = func(string, string) (ipc.Credential, error) { return ipc.Credential{}, nil } // root: refused
	}
	if o.LogDropped == nil {
		o.LogDropped = func() uint64 { return 0 }
	}
	if o.OnReady == nil {
		o.OnReady = func() {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	var info unix.Sysinfo_t
	if o.Memory <= 0 && unix.Sysinfo(&info) == nil {
		o.Memory = int64(uint64(info.Totalram) * uint64(info.Unit))
	}
	o.Timings = o.Timings.withDefaults()
	return o, nil
}
