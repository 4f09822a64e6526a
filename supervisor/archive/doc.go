// Package archive compresses log files that are not written to any more and removes old ones. It runs in a short-lived child of the
// supervisor, which has the same rights and loses nothing when the child hangs or is killed. The job comes as JSON on standard input.
//
// # Whose files
//
// Only those whose names pingap itself gives to the logs of the job: the log's path, a date where it rolls by date, the time at which it
// was put aside where it had grown too large, a number where a name was taken, and .gz or .zst. All else in a directory is left alone, as
// is the file that is written now.
//
// # Until when a file is written
//
// Workers are told to leave a file, and may be slow. So the kernel is asked: it gives a read lease only on a file that nobody has open for
// writing. The lease is given back at once; a file that got lines meanwhile stays as it is.
//
// # A file's way
//
//	name --> .name.gz.tmp (written, synced) --> name.gz (renamed, directory synced) --> name removed
//
// A crash leaves name, or name.gz, or for a moment both; the next run removes a name whose lines an archive holds already.
package archive
