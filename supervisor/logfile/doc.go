// Package logfile opens what log lines are written to: files, named pipes and datagram sockets. It runs in the supervisor, which
// keeps the descriptors and hands duplicates to those who write. It writes nothing itself, and knows nothing of who wants
// which target.
package logfile
