// Package inventory is the list of certificates that `pingap cert list` prints: what a configuration has, and how those are that come
// from a CA. It runs in the control process, which makes the list, and in the command line, which prints it. It holds no key, and
// asks nobody for anything.
package inventory
