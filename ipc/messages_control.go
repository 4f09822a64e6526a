package ipc

import "time"

// ControlStart answers control's Hello.
type ControlStart struct {
	RunDir   string      `json:"run_dir"`
	StateDir string      `json:"state_dir"`
	Listener Slot        `json:"listener"`        // the control socket, bound and listening (SOCK_SEQPACKET): ipc.AcceptorFromFD
	Admin    Slot        `json:"admin,omitempty"` // the socket of the admin interface, likewise (SOCK_STREAM); 0 where it could not be made
	Logs     []LogTarget `json:"logs,omitempty"`
	Build    string      `json:"build"`

	// What is live. At boot all are zero: control loads and proposes. After a crash of control they are
	// set and control does not load by itself.
	Version  uint64 `json:"version"`
	SHA      string `json:"sha,omitempty"`
	Snapshot Slot   `json:"snapshot,omitempty"` // sealed memfd of the live snapshot

	RunAs *Credential `json:"run_as,omitempty"` // as in Applied, of what is live

	// Load asks for a load of the source although something is live, and why: after a restart of the supervisor. A load that
	// fails then leaves everything as it is. With SHA empty nothing that this build understands is live, but workers of
	// another build may be serving: that load is proposed as at boot, and its failure is no reason to give up.
	Load string `json:"load,omitempty"`

	// Versions are the folder of kept versions and the key to them, for a control process that is started without root below a
	// root supervisor: it may not open them by itself. None otherwise.
	Versions []Slot `json:"versions,omitempty"`
	ACME     Slot   `json:"acme,omitempty"` // likewise the folder of certificates that CAs have issued

	AdminDir Slot `json:"admin_dir,omitempty"` // likewise the folder of the admin interface's sessions and audit log

	Arena Slot   `json:"arena,omitempty"` // whose records control gives away
	Parts []Slot `json:"parts,omitempty"` // of it, as in Start

	Items int `json:"items,omitempty"` // that the supervisor has of a control process before (State)
}

// Credential is a user and a group; there are no supplementary groups.
type Credential struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

// Change names one object of a proposal, for logs and answers.
type Change struct {
	Object string `json:"object"` // "upstreams.api"
	Class  Class  `json:"class"`
}

// Settings are the figures of a snapshot that concern the supervisor itself, which parses none.
type Settings struct {
	Workers     int           `json:"workers,omitempty"`      // basic.workers, 0 = by cores; Options.Workers wins
	Threads     int           `json:"threads,omitempty"`      // of all workers together, 0 = all cores
	GracePeriod time.Duration `json:"grace_period,omitempty"` // ns; 0 = 300 s
	User        string        `json:"user,omitempty"`
	Group       string        `json:"group,omitempty"`
	AllowRoot   bool          `json:"allow_root,omitempty"`
	PIDFile     string        `json:"pid_file,omitempty"`  // besides <run-dir>/pingap.pid
	LogLevel    string        `json:"log_level,omitempty"` // of the supervisor's own lines; empty: as it was started
	LogJSON     bool          `json:"log_json,omitempty"`  // likewise

	LogCompress LogCompress `json:"log_compress,omitzero"`

	Drain DrainSettings `json:"drain"`

	Counters int `json:"counters,omitempty"` // of the arena that the configuration names
	Totals   int `json:"totals,omitempty"`   // likewise
}

// LogCompress is what becomes once a day of old files of logs whose own options do not name a compression: basic.log_compress_*.
type LogCompress struct {
	Algorithm string        `json:"algorithm,omitempty"` // "" is none
	Level     int           `json:"level,omitempty"`
	After     time.Duration `json:"after,omitempty"` // ns; files neither written nor read for so long
	Hour      int           `json:"hour,omitempty"`  // local
}

// DrainSettings are the bounds of draining workers, of the keys of the same names; zero fields have the default.
type DrainSettings struct {
	IdleGrace      time.Duration `json:"idle_grace,omitempty"`      // ns, 2 s
	Spread         time.Duration `json:"spread,omitempty"`          // ns, 10 s
	LongTimeout    time.Duration `json:"long_timeout,omitempty"`    // ns, 1 h; the grace period bounds requests
	Longest        time.Duration `json:"longest,omitempty"`         // ns; of all of these and what locations say, with Spread
	Close          time.Duration `json:"close,omitempty"`           // ns; from its last limit until a worker is killed, 5 s
	MaxGenerations int           `json:"max_generations,omitempty"` // draining at a time; beyond it the oldest goes faster, 4
	MaxMemory      int64         `json:"max_memory,omitempty"`      // bytes of all draining workers, likewise; 0 = 30 % of what there is
	Orphan         time.Duration `json:"orphan,omitempty"`          // ns; how long workers serve without supervisor, 30 s
}

// Propose asks the supervisor to make a snapshot live, at boot and for every change alike.
type Propose struct {
	Base        string      `json:"base"` // sha it was diffed against, empty at boot
	SHA         string      `json:"sha"`
	Who         string      `json:"who,omitempty"`          // the source: file, etcd, admin
	RequestedBy string      `json:"requested_by,omitempty"` // SIGHUP, reload uid 0, autoreload
	Class       Class       `json:"class"`
	Changes     []Change    `json:"changes,omitempty"`
	Snapshot    Slot        `json:"snapshot"`  // sealed memfd
	Listeners   []Listener  `json:"listeners"` // all that are wanted, without descriptors
	Logs        []LogTarget `json:"logs"`      // all that are wanted, without descriptors
	Settings    Settings    `json:"settings"`
	Env         []string    `json:"env,omitempty"`    // names of the environment variables that the snapshot refers to
	Number      uint64      `json:"number,omitempty"` // the lowest number this version may get

	Fallback bool `json:"fallback,omitempty"` // at boot: a refusal does not end the start, control proposes another one then
}

// Applied answers Propose: all workers run it. Also control's answer to a client's Reload.
type Applied struct {
	Version   uint64        `json:"version"`
	SHA       string        `json:"sha"`
	Unchanged bool          `json:"unchanged,omitempty"`
	Workers   int           `json:"workers"`
	Took      time.Duration `json:"took"` // ns
	Changes   []Change      `json:"changes,omitempty"`
	Warnings  []string      `json:"warnings,omitempty"`

	// RunAs is whom workers run as, and control as well from now on if it can: none where the supervisor is not root, or
	// may stay so.
	RunAs *Credential `json:"run_as,omitempty"`
}

// Refused answers Propose, Reload, Reopen and Stop: nothing changed, and why.
type Refused struct {
	Code   string   `json:"code"`
	Reason string   `json:"reason"`           // a sentence for a person
	Worker string   `json:"worker,omitempty"` // "worker 1 (pid 4711)"
	Path   string   `json:"path,omitempty"`   // object in the configuration
	Errors []string `json:"errors,omitempty"` // from control to a client: every error of the load
}

// Process is one line of StatusAll.
type Process struct {
	Kind       string        `json:"kind"` // supervisor, control, worker
	PID        int           `json:"pid"`
	Slot       int           `json:"slot"`
	Generation int           `json:"generation"`
	State      string        `json:"state"`
	Build      string        `json:"build,omitempty"` // Go build id of its image
	Uptime     time.Duration `json:"uptime"`          // ns
	Restarts   int           `json:"restarts"`
	Status     *Status       `json:"status,omitempty"`    // a worker's last heartbeat
	LastExit   string        `json:"last_exit,omitempty"` // of the slot's previous process
}

// StatusAll answers StatusRequest.
type StatusAll struct {
	State     string     `json:"state"` // starting, running, applying, stopping
	Version   uint64     `json:"version"`
	SHA       string     `json:"sha"`
	Build     string     `json:"build"`
	Degraded  []string   `json:"degraded,omitempty"` // reasons, empty when well
	Processes []Process  `json:"processes"`
	Listeners []Listener `json:"listeners"`
	Logs      []string   `json:"logs"` // paths now open

	LastApply  *ApplyResult `json:"last_apply,omitempty"`
	LastRecord *Record      `json:"last_record,omitempty"` // of the ledger
	Ledger     *Totals      `json:"ledger,omitempty"`      // sums over all its records, those that were dropped included
	Settled    bool         `json:"settled"`               // nothing is under way: no apply, roll or upgrade, no workers of another build
	Hurried    int          `json:"hurried"`               // workers of this supervisor that had to drain faster: too many generations, too much memory
	Epoch      uint32       `json:"epoch"`                 // how many supervisors there have been before this one, less one

	// Control adds these for its clients.
	Notes    []string         `json:"notes,omitempty"` // what is well, but should be known
	Source   *Source          `json:"source,omitempty"`
	Versions []AppliedVersion `json:"versions,omitempty"` // oldest first; those applied since control started
}

// Source is where the configuration comes from, and whether it still is what is live.
type Source struct {
	Location string    `json:"location"`
	Watch    string    `json:"watch"`             // none, hot or all: what changes of it do by themselves
	Differs  bool      `json:"differs"`           // it was changed since it was loaded, or what is live was not loaded from it
	Error    string    `json:"error,omitempty"`   // it cannot be read
	Loaded   time.Time `json:"loaded"`            // the last load by control; zero before the first
	By       string    `json:"by,omitempty"`      // who asked for that
	Refused  string    `json:"refused,omitempty"` // why it came to nothing

	Rollback uint64 `json:"rollback_to,omitempty"` // version that was rolled back to and is live in place of the source; 0 for none
}

// Totals are what became of requests and connections because of all operations since the instance began, over its supervisors. They only grow.
type Totals struct {
	Workers  uint64 `json:"workers"`  // that have drained, or died
	Finished uint64 `json:"finished"` // requests that ended while draining
	Drained  uint64 `json:"drained"`  // connections that ended while draining
	Moved    uint64 `json:"moved"`    // connections that successors had accepted when a roll was over
	Cut      uint64 `json:"cut"`      // requests that were ended in the middle
	Refused  uint64 `json:"refused"`  // connections that found nobody to take them (the kernel's count of full queues)
}

// AppliedVersion is a configuration that was made live.
type AppliedVersion struct {
	Version uint64    `json:"version"`
	SHA     string    `json:"sha"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Changes []Change  `json:"changes,omitempty"` // the first of them
}

// ApplyResult is the outcome of the last proposal.
type ApplyResult struct {
	At          time.Time `json:"at"`
	SHA         string    `json:"sha"`
	RequestedBy string    `json:"requested_by"`
	Error       string    `json:"error,omitempty"` // empty when applied
}

// Reload: supervisor to control (SIGHUP) and client to control: load the source again and propose it.
// The supervisor's is not answered; a client's gets Applied, Refused, or Ready when it does not wait.
type Reload struct {
	Wait        bool   `json:"wait,omitempty"`
	RequestedBy string `json:"requested_by,omitempty"`
}

// Reopen: client to control to supervisor: open the log files anew.
type Reopen struct{}

// Reopened answers Reopen after every process has taken the new files.
type Reopened struct {
	Paths  []string `json:"paths"`
	Errors []string `json:"errors,omitempty"` // targets that kept the old file, processes that did not answer
}

// Stopping answers Stop; the sender's connection ends when the instance does.
type Stopping struct {
	Timeout time.Duration `json:"timeout"` // ns; the longest it may take
}

// Roll: client to control to supervisor: fresh workers for what is live.
type Roll struct {
	Wait        bool   `json:"wait,omitempty"` // Applied once they are active; otherwise Ready at once
	RequestedBy string `json:"requested_by,omitempty"`
}

// Upgrade: client to control to supervisor: a new supervisor from the binary that now stands where this one was started from.
// Answered by Upgraded when it has taken over, or Refused; everything is as it was then.
type Upgrade struct {
	RequestedBy string `json:"requested_by,omitempty"`
}

// Upgraded answers Upgrade. The control that passes it on ends soon after: the new supervisor starts its own.
type Upgraded struct {
	PID   int           `json:"pid"` // of the new supervisor
	Build string        `json:"build"`
	Took  time.Duration `json:"took"` // ns
}

// HistoryRequest: client to control to supervisor.
type HistoryRequest struct{}

// History answers HistoryRequest.
type History struct {
	Records []Record `json:"records"` // oldest first, at most 100
}

// Recorded tells control of operations that have ended, and of workers that have, as soon as it listens; draining may go on. Control answers at
// once with an empty one; what it has not answered is told to its successor.
type Recorded struct {
	Records []Record `json:"records"` // in the order of their ends, at most 100
}

// Kinds of a Record.
const (
	RecordStart   = "start"
	RecordApply   = "apply"   // swapped in running workers, listeners included
	RecordRoll    = "roll"    // fresh workers
	RecordUpgrade = "upgrade" // a new supervisor by hand-over
	RecordRestart = "restart" // a new supervisor after one that left on purpose
	RecordCrash   = "crash"   // a new supervisor after one that did not
	RecordWorker  = "worker"  // a worker died
	RecordStop    = "stop"
)

// Results of a Record.
const (
	RecordDone    = "done"
	RecordRefused = "refused"
)

// Record is an entry of the ledger: one operation, and what became of the connections it touched. While workers that it set to
// drain are still at it, the figures grow and Draining is not 0.
type Record struct {
	ID     uint64        `json:"id"`
	Kind   string        `json:"kind"`
	By     string        `json:"by,omitempty"`
	At     time.Time     `json:"at"`
	Took   time.Duration `json:"took"`             // ns, until it was live
	Result string        `json:"result"`           // RecordDone or RecordRefused
	Reason string        `json:"reason,omitempty"` // of a refusal, a death

	From  uint64 `json:"from,omitempty"` // version that was live before
	To    uint64 `json:"to,omitempty"`   // version that is live after
	Build string `json:"build,omitempty"`

	Workers     int              `json:"workers"`           // that took part, or began to drain
	Draining    int              `json:"draining"`          // of these, still at it
	Requests    uint64           `json:"requests"`          // finished while draining
	Connections uint64           `json:"connections"`       // ended while draining
	AfterAnswer uint64           `json:"after_answer"`      // of these, closed after an answer
	Idle        uint64           `json:"idle"`              // of these, closed while idle
	Moved       uint64           `json:"moved"`             // accepted by the successors by the time it was live or drained
	Cut         int64            `json:"cut"`               // ended in the middle
	CutWhy      map[string]int64 `json:"cut_why,omitempty"` // how many by what
	Refused     int64            `json:"refused"`           // connections that found nobody to take them (the kernel's count of full queues)
	LongestWait time.Duration    `json:"longest_wait"`      // ns; the longest time without a worker that accepts
	Ended       time.Time        `json:"ended,omitzero"`    // when the last of its workers had gone
}
