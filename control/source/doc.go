// Package source knows where a configuration comes from: it turns the value of
// -c into a Location, reads all of its documents, and watches it for changes.
//
// It runs in the control process and in the short-lived validate child. It
// holds the limits on how much is read; it does not parse TOML, does not
// decide whether a change is applied. Control never writes to a configuration; a
// Store, which does, is for the command line and the admin interface.
//
// A configuration in etcd (remote.go) is all keys below a path, read at one revision
// and watched for as long as Run runs, whatever becomes of etcd. Everything else here
// is about files.
//
// Watching follows the path, not the inode. Every directory on the way to the
// configuration is watched for the one name that matters in it, across symbolic
// links, so all the ways in which files are replaced are seen alike:
//
//	write in place              event in the file's directory
//	editor (rename over)        event in the file's directory
//	symlink swap (..data)       event in the directory that holds the link
//	directory replaced (mv)     event in its parent
//	new file in a subdirectory  event in that subdirectory, which is watched
//	                            before its contents are read
//
// Events only say "look again": what counts is the digest of the contents.
package source
