// Package georestriction lets clients pass, or refuses them, by the country that a MaxMind database has for their address, or only says in the log where they
// come from.
//
// # The database
//
// It is a file of the administrator; none is built in. A worker reads it into memory once, however many instances name it: a mapped file that somebody
// cuts short would end the process at the next look-up. Every 10 s at most a request that needs the file looks whether it is another one, and reads it anew. Look-ups
// that have begun finish with the old one. A file that cannot be used changes nothing, and the log says why. Where there was none before, because a worker came up when
// the file was gone, requests get 503 until there is one: nobody passes unseen, and other locations are served.
//
// In control, which only checks parameters, the file is opened, looked at and closed.
//
// It runs in workers. An instance owns its share of the database, and gives it back with Close.
package georestriction
