package ipc

import "time"

// Roles of a process in Hello and Process.
const (
	RoleSupervisor = "supervisor"
	RoleControl    = "control"
	RoleWorker     = "worker"
)

// States of a worker as reported in Status and StatusAll (doc.go draws them).
const (
	StateSpawned  = "spawned"
	StateStarting = "starting"
	StateReady    = "ready"
	StateActive   = "active"
	StateDraining = "draining"
	StateGone     = "gone"
	StateDead     = "dead"
)

// Class is the weight of a change; what is not known counts as ClassRoll. The numbers are those of config.Class.
type Class uint8

// Classes, lightest first.
const (
	ClassSame Class = iota
	ClassHot
	ClassListeners
	ClassRoll
)

// Slot is the place of a descriptor among those of its message, counted from 1; 0 is none.
// A sender gets it from FDs.Add, a receiver hands it to Message.Take.
type Slot int

// Listener is one bound address. ID is stable over configurations: ListenerID(listener).
type Listener struct {
	ID      string `json:"id"`
	Network string `json:"network"` // tcp4, tcp6 or unix; tcp means by the address
	Address string `json:"address"` // IP:port with the host already resolved, or an absolute path
	Server  string `json:"server,omitempty"`
	Mode    uint32 `json:"mode,omitempty"` // unix: permission bits, 0 = 0666

	FastOpen  int  `json:"fast_open,omitempty"`  // tcp: TFO queue length, 0 = off
	ReusePort bool `json:"reuse_port,omitempty"` // tcp: SO_REUSEPORT

	FD Slot `json:"fd,omitempty"` // set where the message carries the listening socket
}

// LogTarget is a file that the supervisor opens for others: append only, mode 0640, parents created; or a datagram
// socket (syslog, journal) that it connects. ID is LogTargetID(target), or IDAppLog.
type LogTarget struct {
	ID      string `json:"id"`
	Network string `json:"network,omitempty"` // "" for a file, unixgram for a socket
	Path    string `json:"path"`              // absolute; the date suffix is the supervisor's business
	Rolling string `json:"rolling,omitempty"` // daily, hourly, minutely; "" or never: plain name
	Format  string `json:"format,omitempty"`  // "" for lines, FormatJournal
	FD      Slot   `json:"fd,omitempty"`      // set where the message carries the open file

	Rotation LogRotation `json:"rotation,omitzero"`
}

// LogRotation is what becomes of a log file that has grown and of those before it; config.LogRotation says more.
type LogRotation struct {
	MaxSize     int64         `json:"max_size,omitempty"` // bytes
	MaxAge      time.Duration `json:"max_age,omitempty"`  // ns
	MaxFiles    int           `json:"max_files,omitempty"`
	Compression string        `json:"compression,omitempty"`
	Level       int           `json:"level,omitempty"`
}

// FormatJournal is the LogTarget.Format of an application log that goes to the journal, as entries of its native protocol.
const FormatJournal = "journal"

// IDAppLog is the LogTarget.ID of the application log in Start, ControlStart and LogFDs.
// When it is absent the process logs to its stderr.
const IDAppLog = "app"

// Unknown answers a message whose type the receiver does not know. It is itself never answered.
type Unknown struct {
	Of Type `json:"of"`
}

// Hello is the first message of a worker or control.
type Hello struct {
	PID       int    `json:"pid"`
	StartTime uint64 `json:"start_time"` // field 22 of /proc/self/stat, clock ticks since boot; 0 = not known
	Build     string `json:"build"`      // Go build id of the running image
	ProtoMin  int    `json:"proto_min"`
	ProtoMax  int    `json:"proto_max"`
	Role      string `json:"role"`

	Slot       int    `json:"slot"`
	Generation int    `json:"generation"`
	SHA        string `json:"sha,omitempty"` // of the configuration it already runs, empty when fresh
}

// Ready says that everything given in Start is built and nothing is accepted yet (worker), or that
// the control socket is being served (control).
type Ready struct {
	SHA string `json:"sha,omitempty"`
}

// Start gives a worker all it will ever need: it opens nothing itself.
type Start struct {
	Slot       int         `json:"slot"`
	Slots      int         `json:"slots"` // number of worker slots, for shares of memory and threads
	Generation int         `json:"generation"`
	Version    uint64      `json:"version"`
	SHA        string      `json:"sha"`
	Snapshot   Slot        `json:"snapshot"` // sealed memfd
	Listeners  []Listener  `json:"listeners"`
	Logs       []LogTarget `json:"logs"`
	Arena      Slot        `json:"arena"`
	Parts      []Slot      `json:"parts,omitempty"` // further parts of the arena, in their order
	Column     int         `json:"column"`          // this process's column of the arena
	Threads    int         `json:"threads"`         // GOMAXPROCS of this worker, 0 = default
	Build      string      `json:"build"`           // of the supervisor

	// Rescue is a listening SEQPACKET socket in the run directory. Without a supervisor the worker accepts on it: who
	// holds the run directory by then asks for everything back (Orphan).
	Rescue Slot `json:"rescue,omitempty"`
	Owner  int  `json:"owner"` // user id of the supervisor: only it and root may come to the rescue

	Env map[string]string `json:"env,omitempty"` // variables that the snapshot refers to, as far as they are set
}

// Activate: accept now.
type Activate struct{}

// Active answers Activate.
type Active struct{}

// Prepare asks a worker to build the new site without touching the live one.
type Prepare struct {
	Version  uint64      `json:"version"`
	Base     string      `json:"base"` // sha the worker must be running
	SHA      string      `json:"sha"`
	Snapshot Slot        `json:"snapshot"`
	Logs     []LogTarget `json:"logs,omitempty"` // targets the worker does not have yet

	// Listeners are all that the new version wants; those that the worker does not have yet come with their sockets. At
	// Commit it begins to accept on these, and ends with those not named.
	Listeners []Listener `json:"listeners"`

	Env map[string]string `json:"env,omitempty"` // as in Start; a variable never changes its value
}

// Prepared answers Prepare: Commit will not fail.
type Prepared struct {
	SHA string `json:"sha"`
}

// Nack answers Prepare or Start: cannot, and why. Nothing changed in the worker.
type Nack struct {
	Code    string `json:"code"` // need_snapshot, invalid, resources, busy
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

// Codes of Nack and Refused.
const (
	CodeNeedSnapshot = "need_snapshot" // the base sha is not what runs here
	CodeInvalid      = "invalid"       // the snapshot cannot be built
	CodeResources    = "resources"     // descriptors, memory, arena rows
	CodeBusy         = "busy"          // not in a state that takes it
	CodeStale        = "stale"         // proposed against a base that is no longer live
	CodeTimeout      = "timeout"       // a worker did not answer in time
	CodeWorkerDied   = "worker_died"   // a worker died before it answered
	CodeListen       = "listen"        // an address could not be bound
	CodeLog          = "log"           // a log target could not be opened
	CodeNeedsRoll    = "needs_roll"    // fresh workers or listeners would be needed
	CodeStopping     = "stopping"      // the instance is being stopped
)

// Commit swaps the prepared site in; the transaction is in the header.
type Commit struct{}

// Committed answers Commit.
type Committed struct {
	SHA string `json:"sha"`
}

// Abort drops the prepared site; aborting what was never prepared is fine.
type Abort struct{}

// Aborted answers Abort.
type Aborted struct{}

// Drain: stop accepting, finish what is there, send Gone, exit 0.
type Drain struct {
	IdleGrace time.Duration `json:"idle_grace"` // ns; an idle keep-alive connection stays usable so long
	Spread    time.Duration `json:"spread"`     // ns; then idle connections are closed over this time, not all at once
	Timeout   time.Duration `json:"timeout"`    // ns; then requests in flight are cut
	// LongTimeout is when tunnels, event streams and long downloads are cut, ns, unless their location says otherwise; 0 = Timeout.
	LongTimeout time.Duration `json:"long_timeout,omitempty"`
	Hard        time.Duration `json:"hard,omitempty"` // ns; then the process is killed by a timer of the kernel; 0 = none
	Reason      string        `json:"reason"`
}

// DrainFaster shortens the time-outs of a running drain, counted from its receipt. Longer ones change nothing.
type DrainFaster struct {
	Timeout time.Duration `json:"timeout"` // ns
}

// Stop: to a worker or control: exit now. From control or a client: stop the whole instance.
type Stop struct {
	Fast bool   `json:"fast,omitempty"` // do not wait for requests
	Who  string `json:"who,omitempty"`  // for the log
}

// Resync announces a new supervisor; messages of older epochs are ignored from then on. Answered by Status with Process set.
type Resync struct {
	Epoch uint32 `json:"epoch"`
}

// StatusRequest asks a worker for Status, the supervisor for StatusAll.
type StatusRequest struct{}

// MetricsPull asks a worker for Metrics.
type MetricsPull struct{}

// Metrics answers MetricsPull.
type Metrics struct {
	Format string `json:"format"`
	Data   []byte `json:"data"`
}

// LogFDs replaces open log files by new ones; close the old ones after the last line in hand.
type LogFDs struct {
	Logs []LogTarget `json:"logs"`
}

// LogsTaken answers LogFDs: nothing more will be written to the old files.
type LogsTaken struct {
	Errors []string `json:"errors,omitempty"` // those of which that is not true
}

// LogLevel overrides the level of the application log until the next configuration.
type LogLevel struct {
	Level string `json:"level"`
}

// Dump: write the stacks of all goroutines to the application log.
type Dump struct{}

// Status is a worker's heartbeat, sent each second by the serving path, and the answer to StatusRequest. Control's, sent every
// 5 s, has a state, LogDropped and Dropped only; the supervisor's in StatusAll has LogDropped only.
type Status struct {
	State       string           `json:"state"`
	SHA         string           `json:"sha"`
	Version     uint64           `json:"version"`
	Connections map[string]int64 `json:"connections"` // by kind: active, idle, parked, tunnel
	Accepted    uint64           `json:"accepted"`    // connections since start
	Requests    uint64           `json:"requests"`    // requests since start
	InFlight    int64            `json:"in_flight"`
	RSS         int64            `json:"rss"` // bytes
	Goroutines  int              `json:"goroutines"`
	FDs         int              `json:"fds"`
	Uptime      time.Duration    `json:"uptime"`      // ns
	LogDropped  uint64           `json:"log_dropped"` // lines lost since start
	Message     string           `json:"message,omitempty"`
	Dropped     bool             `json:"dropped,omitempty"` // control runs as RunAs says

	Process *Hello `json:"process,omitempty"` // in the answer to Resync
}

// Draining answers Drain and DrainFaster.
type Draining struct {
	Left int64 `json:"left"` // connections
}

// Gone is a drained worker's last message: how the requests and connections ended that were there when the drain began, or
// came out of the accept queue with it.
type Gone struct {
	Requests uint64 `json:"requests"` // since the worker's start

	Finished    uint64           `json:"finished"`          // requests that ended well while draining
	Connections uint64           `json:"connections"`       // connections that ended while draining
	AfterAnswer uint64           `json:"after_answer"`      // of these, closed by us after an answer with Connection: close
	Idle        uint64           `json:"idle"`              // of these, closed by us while idle, after the idle grace
	Cut         int64            `json:"cut"`               // of these, cut in the middle by a time-out
	CutWhy      map[string]int64 `json:"cut_why,omitempty"` // cut by what: timeout, long_timeout, faster, stop
	Took        time.Duration    `json:"took"`              // ns
}

// Orphan is the first message of a worker without supervisor to whoever came to its rescue socket: all that it holds of the
// instance. That connection is its line to the supervisor from then on; Resync follows.
type Orphan struct {
	Hello     Hello      `json:"hello"`
	Status    Status     `json:"status"`
	Listeners []Listener `json:"listeners"` // with their sockets; none from a draining worker
	Arena     Slot       `json:"arena"`
	Parts     []Slot     `json:"parts,omitempty"` // of the arena, as in Start
	Snapshot  Slot       `json:"snapshot"`        // of the configuration it runs
	Column    int        `json:"column"`

	Tickets TicketKeys `json:"tickets,omitzero"` // that it was given last
	Items   Slot       `json:"items,omitempty"`  // lists of backends that it was told, see SealItems; 0 for none
	Number  uint64     `json:"number,omitempty"` // of the last State; the highest is the newest
}
