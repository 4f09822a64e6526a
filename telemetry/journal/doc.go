// Package journal speaks the native protocol of the systemd journal: a datagram is an entry, an entry is a list of
// fields. It tells whether a process is connected to a journal at all, makes fields, and sends entries over a socket
// that somebody else has opened.
//
// It runs in all processes, below telemetry, which decides what an entry says and keeps what the journal does not
// take. It opens no socket, starts no goroutine and reads no environment.
package journal
