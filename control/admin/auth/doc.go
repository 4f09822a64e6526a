// Package auth finds out who asks for the admin interface, and keeps the log of what they did.
//
// It runs in control. It owns the sessions, the table of addresses that failed, and the audit log; all are bounded. Credentials are those of
// the parameters of admin plugins: each plugin is a Guard, and a session belongs to one. Sessions are 256 random bits, of which only the sum
// is kept, in memory and in the state directory, so that they outlast control; what is kept opens nothing. A login costs a hash where
// the password is hashed: two at a time, and none for addresses that are locked out. Addresses are what a worker says, never what a client says.
package auth
