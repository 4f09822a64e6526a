// Package supervisor is the process that must never die: it holds the listening sockets, the log files, the shared
// memory and the live snapshot, and starts and watches the control and worker processes. It parses neither
// configuration nor network input, looks up no names, and speaks to nobody but its children, by package ipc.
//
// # One loop
//
// All state belongs to the goroutine of Run. Others only read one child's socket, wait for one child's exit, or let a
// timer expire, and post what happened; sends to children never wait. So every method on *supervisor runs on the loop,
// unless its comment says otherwise, and no lock is needed.
//
// # A child
//
//	            Hello/Start        Ready            Activate/Active        Drain           exit
//	spawned ---------------> starting -------> ready -------------> active -------> draining -----> reaped
//	   |  all within ReadyTimeout                | waits for its generation, or for a running apply
//	   +-- exit, silence, garbage, time-out: killed --> reaped --> back-off --> spawned again, same slot
//
// A slot outlives its processes: number, generation, failures, back-off. A child belongs to one slot and one column of the arena,
// which is zeroed when the child has ended. One that drains has left its slot.
//
// # An operation
//
// There is one at a time; others wait. Every snapshot comes by Propose. What is hot, or changes listeners, is swapped in: PREPARE to all
// active workers, then COMMIT to all or ABORT to all (apply.go). Anything else rolls (roll.go), as a start and a request for fresh workers do:
//
//	starting: new slots are filled --> all READY --> activating: ACTIVATE --> all ACTIVE --> live; DRAIN to the old (drain.go)
//	    any of them ends, or is late: all of them are killed, the old never notice
//
// An upgrade (upgrade.go) is an operation too: Check the binary --> Start it --> it asks --> workers are read no more --> everything is
// handed over --> it is ready: this process ends. Fails anything before: workers are read again, under a higher epoch.
// A stop pre-empts whatever is under way (stop.go).
//
// # A successor
//
// Whether by upgrade, restart or crash: package inherit finds what there is, and adopt.go makes it ours. The state file is written
// whenever something in it has changed, before the next event, and before the first COMMIT. The ledger (package ledger) says what
// became of connections; records.go enters what happens here.
//
// # Privileges
//
// Started as root, workers run as the configured user, by default pingap or nobody, unless allow_root is set;
// listeners and logs reach them as open descriptors. Control must read what the configuration names before the user is
// known, so its first process starts as root; told who the user is by Applied, it gives root up if that user can read all of
// it, and then its successors start as that user. All children are started from one thread that has given up ambient
// capabilities and set no_new_privs, so a worker of an unprivileged supervisor cannot bind low ports.
//
// # Environment
//
// Workers have next to none. They are told the variables that the configuration names, whose names control proposes and
// whose values are looked up here (environment.go).
package supervisor
