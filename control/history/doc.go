// Package history keeps the configurations that were live: a file each, in the folder versions of the state directory.
// It runs in the control process. It decides nothing: what is applied, and when, is control's business.
//
// # A file
//
//	pingap-version 1 HMAC        hex, over the next line
//	{"number":3,"sha":"…",…}     a Version as JSON
//	snapshot                     to the end; Version.SHA and Version.Size say which. It is without what files hold
//	                             that it names, keys and certificates: Version.Stored is its own sum then
//
// Its name is the number, with zeros in front. It is written under another name, synced and renamed, so that there is never
// half a version. What is damaged all the same is left out, and a warning says so once.
//
// # Who may read and write
//
// Snapshots hold secrets as they were: folder and files are closed to all other users (0700, 0600). A control process that
// was started as root gives root up and has to go on writing, but may not even enter a state directory of root's then. So
// the folder is opened before (os.Root: everything goes through its descriptor, and nothing leads out of it) and given,
// with what is in it, to the user who follows. When such a process dies, its successor starts without root, and the supervisor
// opens folder and key for it (Files, Adopt).
//
// Workers run as that user as well. One that was taken over could put a version of its own there, which a root supervisor
// would open log files for after a restart. Hence the HMAC: its key is in versions.key in the state directory itself, which is
// read before root is given up, and that user cannot read. Where nothing starts as root there is no such border, and
// the HMAC is a checksum.
package history
