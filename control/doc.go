// Package control is the process for what must happen once per host: it loads
// and watches the configuration and proposes it to the supervisor, and serves
// the control socket (reload, rollback, status, kept versions, reopen, stop).
//
// It runs in the control process, below the supervisor, and for Validate in a
// short-lived child of it. The supervisor restarts control when it dies; no
// client of the proxy notices. It binds nothing, serves no traffic, and starts
// nothing but its own validate child.
//
// # A configuration change
//
//	reload, HUP, watcher ──> queue ──> validate child ──> verdict
//	                                     errors            ──> refused, every error
//	                                     the live sha      ──> unchanged
//	                                     class over limit  ──> refused (autoreload: hot only)
//	                                     else Propose      ──> Applied | Refused by the supervisor
//
// One load runs at a time; requests that arrive meanwhile share the next one.
// Boot is the same path with nothing live. After a crash of control the
// supervisor says what is live, and control only looks whether the source
// differs; it applies nothing by itself.
//
// Files that the live configuration names (certificates, keys) are watched in any case. When one changes, the live configuration, not the
// source, is loaded with them again (files.go), as a change that may only be hot.
//
// # Versions
//
// What was applied is kept (package history, kept.go). A rollback is a load of a kept version in place of the source
// (rollback.go). Held is what a start finds rolled back to; the source is loaded first, for its digest:
//
//	start ──> source ──> digest is the held one's ──> held version ──> Applied
//	             └─ another digest ──> propose it          └─ refused ──> the source after all, and an error
//
// # The validate child
//
// Reading and judging a configuration can take any amount of memory and time,
// so a child of the same binary does it, under limits that Limits names. Its
// descriptors:
//
//	0  Job as JSON
//	3  Verdict as JSON, a memfd made by control
//	4  the snapshot, a memfd made by control, sealed by the child
//	5  the live snapshot to compare with, only where there is one
//
// # Root
//
// Control of a root supervisor starts as root: who may read the configuration
// is not known before it has been read. When it is live, a validate child with
// the workers' user loads it once more; if that comes to the same, control
// becomes that user for good (root.go). If not, it stays root, says why in log
// and status, and tries again after the next load.
//
// # State
//
// All state belongs to the loop of one goroutine (loop.go). Others post
// functions to it and wait for answers on channels of their own.
package control
