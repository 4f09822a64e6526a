// Package ipc is the protocol between the processes of one pingap instance: supervisor, control, workers, and
// the clients of the control socket. It frames messages over SOCK_SEQPACKET, passes descriptors, and defines
// every message struct. It owns no process and no policy.
//
// # Framing
//
// A message is one packet: a 16-byte header {magic, version, flags, type, nfds, epoch, txn}, then the body as
// JSON. A body over 64 KiB travels in a sealed memfd, the packet's first descriptor (flagBodyMemfd). Descriptors
// go by SCM_RIGHTS, at most 64 a packet; those beyond 63 go ahead in packets with flagMore. The announced count is
// verified, truncation is an error that closes what came. A body names its descriptors by Slot: 1 is the first,
// 0 none. There is never an empty packet: it would read as EOF. Fields may be added to a body at any time; a message of
// an unknown type is answered with Unknown and otherwise ignored. txn pairs an answer with its request; epoch
// (0 until supervisors replace each other) fences a supervisor that was replaced.
//
// # Messages
//
//	supervisor -> worker            answer             meaning
//	Start                           Ready | Nack       build everything, accept nothing; see descriptors
//	Activate                        Active             accept
//	Prepare {base, sha, snapshot}   Prepared | Nack    build the new site beside the live one
//	Commit                          Committed          swap it in
//	Abort                           Aborted            drop it; harmless without a Prepare
//	ListenerAdd, ListenerDrop       -                  more or fewer sockets to accept on
//	LogFDs                          LogsTaken          write to these files from now on; also to draining workers, and also
//	                                                   for targets of a site that is prepared and not committed
//	Drain {idle grace, timeout}     Draining, Gone     stop accepting, finish, exit 0
//	DrainFaster {timeout}           Draining           less time
//	Stop                            -                  exit 0 at once
//	StatusRequest                   Status             the heartbeat, now
//	Resync {epoch}                  Status             a new supervisor owns you (sent once adoption exists)
//	MetricsPull                     Metrics            (sent once control merges metrics)
//	LogLevel, Dump                  -                  (sent once the admin interface exists)
//
//	worker -> supervisor
//	Hello {pid, proto range, ...}   Start              first message, within 30 s of the spawn
//	Status                          -                  each second from the serving path; 10 s without one is death
//	Gone                            -                  drained; the exit follows
//
//	supervisor -> control
//	ControlStart                    Ready              answers Hello; control loads and proposes only if sha is empty
//	Reload                          -                  SIGHUP: load, then Propose
//	LogFDs                          LogsTaken          the application log
//	Stop                            -                  exit
//
//	control -> supervisor
//	Hello                           ControlStart
//	Propose                         Applied | Refused  boot and every change; one at a time, later ones wait
//	Status                          -                  every 5 s from its loop; 30 s without any message is death
//	Refused {errors}                -                  at boot only: there is nothing to propose, give up
//	StatusRequest                   StatusAll
//	Reopen                          Reopened | Refused after all processes acked the new files
//	Stop {fast}                     Stopping           then the instance ends
//
//	client -> control (control.sock; no descriptors)
//	Reload {wait}                   Applied | Refused  without wait: Ready once the load has begun
//	StatusRequest                   StatusAll
//	Reopen                          Reopened | Refused
//	Stop {fast}                     Stopping           EOF when the instance has ended
//
//	anyone -> anyone
//	Unknown {of}                    -                  I do not know messages of this type
//
// # A worker's states
//
//	        Hello         Start, Ready         Activate, Active
//	SPAWNED ------> STARTING ------> READY ---------------------> ACTIVE --+
//	   |               |  Nack         |                       Prepare/Commit/Abort stay here
//	   |               |               |                          |        |
//	   |               v               v             Drain | TERM | EOF on fd 3
//	   +------------> DEAD <-----------+--------------------------|--------+
//	     exit without Gone, silence of 10 s, garbage               v
//	                    ^------------------------------------ DRAINING ---> GONE (Gone sent, exit 0)
//	                                                           takes LogFDs, StatusRequest, DrainFaster, Stop
//
// Prepare in any state but ACTIVE, or with another base than the sha in use, is a Nack.
//
// # The supervisor's states
//
//	BOOT --(control's first Propose applied: all workers ACTIVE)--> RUN
//	RUN:  idle <--> apply: PREPARE to all active -> all Prepared -> COMMIT to all -> all Committed (or killed)
//	                          \-> Nack, death, 5 s -> ABORT to all: nothing changed
//	RUN | BOOT --(Stop, TERM)--> STOPPING: abort what runs, Drain all, wait <= grace period, kill --> EXIT
//
// # Descriptors
//
//	fd             owner        message                      receiver does
//	3              worker end   inherited                    FromFD(3); EOF = the supervisor is gone
//	Listener.FD    supervisor   Start, ListenerAdd           accepts; never unlinks, never shutdown(2); O_NONBLOCK is shared
//	Snapshot       control      Propose, Prepare, Start,     ReadMemfd; sealed against everything
//	                            ControlStart
//	LogTarget.FD   supervisor   Start, ControlStart,         whole lines in one write (O_APPEND), or entries; closes the old
//	                            Prepare, LogFDs
//	Start.Arena    supervisor   Start                        arena.Map; writes its own column only
//	ControlStart.  supervisor   ControlStart                 AcceptorFromFD; Close does not unlink
//	Listener
//
// Everything received is CLOEXEC and belongs to the Message until Message.Take.
package ipc
