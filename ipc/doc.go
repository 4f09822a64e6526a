// Package ipc is the protocol between the processes of one pingap instance: supervisor, control, workers, and
// the clients of the control socket. It frames messages over SOCK_SEQPACKET, passes descriptors, and defines
// every message struct. It owns no process and no policy.
//
// # Framing
//
// A message is one packet: a 16-byte header {magic, version, flags, type, nfds, epoch, txn}, then the body as
// JSON. A body over 64 KiB travels in a sealed memfd, the packet's first descriptor (flagBodyMemfd). Descriptors
// go by SCM_RIGHTS, at most 64 a packet; those beyond 63 go ahead in packets with flagMore. The announced count is
// verified, truncation is an error that closes what came (and ends the connection, unless the receiver only had no room for
// descriptors). A body names its descriptors by Slot: 1 is the first,
// 0 none. There is never an empty packet: it would read as EOF. Fields may be added to a body at any time; a message of
// an unknown type is answered with Unknown and otherwise ignored. txn pairs an answer with its request; epoch
// counts the supervisors of an instance and fences one that was replaced: a worker ignores messages of an epoch below
// the highest that Resync has told it.
//
// # Messages
//
//	supervisor -> worker            answer             meaning
//	Start                           Ready | Nack       build everything, accept nothing; see descriptors
//	Activate                        Active             accept
//	Prepare {base, sha, snapshot,   Prepared | Nack    build the new site beside the live one; take new sockets, accept
//	  listeners}                                       nothing on them
//	Commit                          Committed          swap it in; accept on new listeners, end with dropped ones
//	Abort                           Aborted            drop it; harmless without a Prepare
//	LogFDs                          LogsTaken          write to these files from now on; also to draining workers, and also
//	                                                   for targets of a site that is prepared and not committed
//	Drain {idle grace, timeouts}    Draining, Gone     stop accepting, finish, exit 0
//	DrainFaster {timeout}           Draining           less time
//	Stop                            -                  exit 0 at once
//	TicketKeys                      -                  for TLS session tickets; also to draining workers
//	State {items}                   StateTaken         certificates, answers to challenges, backends; also to draining workers
//	Announce {topic, body}          Announced          what a worker or control says to all; also to draining workers
//	Explain {what, body}            Explained | Refused  what it would do with a request; what its routes are
//	ArenaPart {index}               -                  more shared memory; also to draining workers
//	StatusRequest                   Status             the heartbeat, now
//	Resync {epoch}                  Status             a new supervisor owns you
//	MetricsPull                     Metrics            (not sent: totals are read from the arena)
//	LogLevel, Dump                  -                  (sent once the admin interface exists)
//
//	worker -> supervisor
//	Hello {pid, proto range, ...}   Start              first message, within 30 s of the spawn
//	Status                          -                  each second from the serving path; 10 s without one is death
//	Gone                            -                  drained; the exit follows
//	Orphan {listeners, arena, ...}  Resync             first message to whoever connects to the rescue socket
//	Announce {topic, body}          Announced | Refused  once all workers that serve have heard it, or were too slow
//
//	supervisor -> control
//	ControlStart                    Ready              answers Hello; control loads and proposes only if sha is empty
//	Reload                          -                  SIGHUP: load, then Propose
//	LogFDs                          LogsTaken          the application log
//	ArenaPart {index}               -                  as to workers
//	Recorded {records}              Recorded           entries of the ledger whose operation has ended, for events
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
//	Roll                            Applied | Refused  fresh workers for what is live
//	Upgrade                         Upgraded | Refused a new supervisor takes over
//	HistoryRequest                  History            the ledger
//	ArenaGrow {records, counters,   ArenaGrown | Refused  after ArenaPart to all workers
//	  totals}
//	State {items}                   StateTaken | Refused  once all active workers have it, or were too slow
//	StateRequest {kind, after}      State              what it keeps of control's items, a part at a time
//	Announce {topic, body}          Announced | Refused  as from a worker
//	Explain {what, body}            Explained | Refused  of the worker with most to do, in 2 s
//
//	new supervisor -> old supervisor (over the socket that tableflip carries)
//	HandoverRequest                 Handover | Refused everything; the old one reads and sends nothing from then on
//
//	client -> control (control.sock; no descriptors)
//	Reload {wait}                   Applied | Refused  without wait: Ready once the load has begun
//	StatusRequest                   StatusAll
//	Reopen                          Reopened | Refused
//	Stop {fast}                     Stopping           EOF when the instance has ended
//	Roll {wait}                     Applied | Refused  without wait: Ready at once
//	Upgrade                         Upgraded | Refused EOF after Upgraded: the new supervisor starts its own control
//	HistoryRequest                  History
//	ConfigRead {list, show, diff}   ConfigPart | Refused  kept versions, or the certificates or backends that are live; asked again
//	                                                   until all parts are there
//	UpstreamAdmin {drain|down|up}   UpstreamChanged | Refused  once all workers that accept know
//	Rollback {version, wait}        Applied | Refused  make a kept version live, as Reload does with the source
//
//	worker -> maker of pictures (a child of control; an abstract socket, named by an item of State)
//	Picture {from, to, data}        PictureMade        one for each connection
//
//	worker -> control (an abstract socket of streams, named by an item of State)
//	requests of HTTP/1.1            -                  for metrics, and with lines that somebody watches; with the token of the item
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
//	RUN:  idle <--> roll: fresh workers -> all READY -> ACTIVATE -> all ACTIVE -> DRAIN the old; else the fresh ones are killed
//	RUN:  idle <--> apply: PREPARE to all active -> all Prepared -> COMMIT to all -> all Committed (or killed)
//	                          \-> Nack, death, 5 s -> ABORT to all: nothing changed
//	RUN | BOOT --(Stop, TERM)--> STOPPING: abort what runs, Drain all, wait <= grace period, kill --> EXIT
//
// # Descriptors
//
//	fd             owner        message                      receiver does
//	3              worker end   inherited                    FromFD(3); EOF = the supervisor is gone
//	Listener.FD    supervisor   Start, Prepare, Orphan       accepts; never unlinks, never shutdown(2); O_NONBLOCK is shared
//	Snapshot       control      Propose, Prepare, Start,     ReadMemfd; sealed against everything
//	                            ControlStart
//	LogTarget.FD   supervisor   Start, ControlStart,         whole lines in one write (O_APPEND), or entries; closes the old
//	                            Prepare, LogFDs
//	Start.Arena    supervisor   Start, Orphan                arena.Map; writes its own column and what is in records only
//	ControlStart.  supervisor   ControlStart                 arena.Open; gives records away
//	Arena
//	Parts,         supervisor   Start, ControlStart,         Arena.AddPart
//	ArenaPart.FD                ArenaPart, Orphan, Handover
//	Handover.      supervisor   Handover                     ReadMemfd; holds ticket keys and items
//	Secrets
//	Explain.Answer control      Explain                      writes its answer there, once; its size is sealed
//	Orphan.Items   worker       Orphan                       ReadItems; the lists of backends that it was told
//	Start.Rescue   supervisor   Start                        accepts on it while there is no supervisor; checks the peer's user
//	ControlStart.  supervisor   ControlStart                 AcceptorFromFD; Close does not unlink
//	Listener
//	ControlStart.  supervisor   ControlStart                 a folder, which it reads and writes, and the key to what is in it
//	Versions, ACME
//
// # State beside the configuration
//
// TicketKeys and State have no version, belong to no apply and are untouched by a rollback. A fresh worker gets all of it between
// Start and Activate, so it knows it before its first connection. The supervisor keeps items without looking into them. After its
// crash the next one gets ticket keys and lists of backends back from the orphan that was told last; control publishes the rest again.
//
// Everything received is CLOEXEC and belongs to the Message until Message.Take.
package ipc
