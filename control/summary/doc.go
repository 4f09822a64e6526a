// Package summary puts what the processes say of themselves into the form that `pingap status --json` prints and the admin interface answers:
// seconds, bytes and words in place of what messages hold. It runs in control and on the command line. No state lives here.
package summary
