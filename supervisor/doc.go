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
//	   |  all within ReadyTimeout                | waits for siblings (boot) or for a running apply
//	   +-- exit, silence, garbage, time-out: killed --> reaped --> back-off --> spawned again, same slot
//
// A slot outlives its processes: number, failures, back-off. A child belongs to one slot and one column of the arena,
// which is zeroed when the child has ended.
//
// # An apply
//
// Every snapshot comes by Propose. With active workers it is hot: PREPARE to all of them, then COMMIT to all or ABORT
// to all (apply.go). With none, at boot or when all have died, fresh workers are started on it, and it is live
// once all are active (fresh.go). A proposal that would need other listeners or fresh workers while workers are active is refused:
// begin in apply.go is where it will branch.
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
