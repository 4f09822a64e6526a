// Package worker is the process that serves traffic. It accepts on sockets that the supervisor opened, builds sites from
// snapshots, swaps them, reports, and drains. It opens neither configuration nor key or log files, binds nothing, and
// never outlives what it serves: a worker that dies loses only its requests in flight.
//
// # States
//
//	        HELLO             START: site built, READY           ACTIVATE: accepting, ACTIVE
//	SPAWNED ------> STARTING ---------------------------> READY -----------------------------> ACTIVE
//	   |               | cannot be built: NACK              |                                    |
//	   v               v                                    v              DRAIN | SIGTERM | no supervisor for orphan_grace
//	 exit            exit                          STOP, TERM, EOF: exit                         v
//	                                                                                         DRAINING --> GONE, exit
//
// In DRAINING what waits in the accept queues is taken once and then nothing is accepted, answers carry "Connection: close", and
// connections end as package drain says. A second TERM, or STOP, exits at once. The heartbeat goes on to the end; a timer of
// the kernel kills the process where the supervisor set one.
//
// # Goroutines
//
//	loop        all state, one message at a time; never waits for anything that may take long
//	receive     reads the supervisor's socket; ends when it is closed
//	build       a site off to the side, at most one at a time, with rests; waits at most a second for names
//	beat        once a second a request of our own through accept, engine and log, a question to each accept, then a STATUS
//	logs        takes new log files, which may have to wait for a disk
//	accept      one a listener (package accept); ends when it is dropped or closed
//	connections one each, of package proxy
//
// So a STATUS says that the loop, accepting on every listener, the engine, the location table, the plugin steps and the way to the
// log work; silence means they do not. A disk that hangs, or as many connections as there may be, is no silence.
//
// # A change
//
//	PREPARE --> take new sockets; build: decode and compile only what has another hash than in the live site --> PREPARED | NACK
//	COMMIT  --> one pointer is swapped; upstreams that fell out of use close; new sockets are accepted on, what waits on those
//	            that are not wanted any more is accepted before this worker's copy closes --> COMMITTED
//	ABORT   --> what was built anew and the new sockets are closed, nothing else was touched --> ABORTED
//
// # Beside the configuration
//
// TicketKeys and State may come in any state from READY on, and always before ACTIVATE (beside.go). No change touches them.
//
// What sites share and what needs closing (plugins, log writers) counts the sites that use it. A site ends when no request
// refers to it any more, which the garbage collector finds out: requests pay nothing for it (retire.go).
package worker
