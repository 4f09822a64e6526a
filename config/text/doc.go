// Package text edits TOML without writing it anew: tables and keys are replaced, added and removed where they stand, and everything else,
// comments and order included, stays as somebody wrote it. It knows nothing of what tables and keys mean. Whoever edits reads the result
// again, as some forms of TOML (a table of tables written inline) cannot be edited in place.
//
// It runs in control. No state lives here.
package text
