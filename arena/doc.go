// Package arena is the shared memory of one pingap instance: counters that hold over all worker processes.
// The supervisor creates it, workers and control map it. It owns the layout and nothing of what the counters mean.
//
// The memory is a memfd sealed against growing and shrinking, so that nobody can make another's access fault.
// It is written by workers and therefore never trusted: sizes are checked once when mapping, indices are bounded,
// and rubbish in a cell gives a wrong figure, not a crash.
//
//	0      header   magic, version, size, segment table {kind, columns, rows, offset, size} x 16
//	4096   counters ids[rows] (u64: hash of the name, 0 = free), then for each column cells[rows] (i64)
//	...    room for further segments (rate limits, health), each of its own kind; unknown kinds are skipped
//
// A counter is a row, claimed by compare-and-swap on its id (open addressing) by whoever names it first, and kept for
// the life of the arena. Each process writes only the cells of its own column; the value is the sum over the columns.
// There are no locks, so a killed process leaves none behind; the supervisor zeroes its column before it gives the
// column to another.
package arena
