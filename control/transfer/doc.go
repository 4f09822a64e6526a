// Package transfer copies configurations from one place to another: export, import, --sync, and the change of a directory from one layout to
// another. It runs in the command line, as whoever called it, and next to any instance: an instance finds out as it does about every change.
//
// It cuts a configuration into what the target's layout stores, has what the target would hold afterwards judged as a whole, and only then
// writes, provided that nobody else wrote to any of it meanwhile. What the target holds beside that stays: it is judged along, so that
// nothing is written that would not load.
package transfer
