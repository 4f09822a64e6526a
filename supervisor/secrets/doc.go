// Package secrets keeps what workers are told beside the configuration: the keys for TLS session tickets, which it makes, and items of
// control (certificates, answers to challenges), which it does not look into. All of it is in memory only, here and in the sealed
// memory file by which the next supervisor gets it, and in workers: after a crash without such a file, orphans bring keys and
// lists of backends back. It runs in the supervisor, on its loop, and sends nothing.
package secrets
