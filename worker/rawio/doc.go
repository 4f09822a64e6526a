// Package rawio reads and writes sockets that never block, inside a callback of syscall.RawConn, which keeps the descriptor
// alive. The calls cannot block, so they go without the scheduler's bookkeeping around system calls (RawSyscall), which costs
// more than the call on small messages. Messages go by recvfrom and sendto, which spare the kernel's layer of files (about 0.1 µs a call on
// loopback) and a SIGPIPE. EINTR cannot be returned by a non-blocking read or write. Pieces of files go to sockets inside
// the kernel. It runs in workers.
package rawio
