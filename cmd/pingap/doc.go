// Command pingap is the proxy's one binary: it reads flags and environment,
// starts the supervisor, speaks to a running instance (reload, status, reopen,
// stop), and holds the one list of plugins.
//
// The supervisor executes the same binary again in roles that are not for
// people: worker, control and validate, named by the first argument; and
// detached, the part of --daemon that stays. describe prints the command line
// as data, for manual page and completions. This package is the only one that
// reads flags and environment, handles signals at the top, or ends the process.
// It runs, for a moment, in every process, and does no work of its own in any.
package main
