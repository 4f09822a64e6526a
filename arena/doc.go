// Package arena is the shared memory of one pingap instance: counters that hold over all worker processes, rates of
// events, holds by key, totals that never go back, and records of what all of them know. The supervisor creates it, workers and control map it. It owns the layout and nothing of what the figures mean.
//
// The memory is one memfd, and up to 16 further parts that come when there is no room. Each is sealed against growing and shrinking, so that
// nobody can make another's access fault. It is written by workers and therefore never trusted: sizes are checked once when mapping, indices
// are bounded, and rubbish in a word gives a wrong figure, not a crash. The supervisor writes the header anew before a process maps it.
//
//	0      header   magic, version, size, id of the arena, number of the part, when it opens, segment table {kind, columns, rows, offset, size} x 16
//	4096   counters ids[rows] (u64: hash of the name, 0 = free), then for each column cells[rows] (i64)
//	...    records  rows of 128 bytes {id u64, 0 = free; 15 words u64}, then for each column cells[rows] (i64)
//	...    rates    windows of 8 places of 16 bytes {owner u64, state u64}, then a page of which the first word counts evictions
//	...    holds    masks[windows] (u64: columns that have been there), then a page of which the first word counts who found no room,
//	       then for each column 8 cells[windows] {tag of a key, count} (u64)
//	...    totals   rows {id u64, 0 = free; mask u64: columns that have counted}, then for each column words[rows][256] (i64)
//	...    room for further segments, each of its own kind; unknown kinds are skipped
//
// A counter is a row, claimed by compare-and-swap on its id (open addressing, in the first part with room near its hash) by whoever names it
// first, and kept for the life of the arena. Each process writes only the cells of its own column; the value is the sum over the columns.
//
// A record is a row that control gives to something and takes back; workers hear of it by message, with the id, which says whether the row
// still is what they were told. Rows are numbered from 1 over all parts. Any process may change the words, atomically; they stay
// when a process dies. What must not stay, such as requests in flight, is in the cells (Held).
//
// A rate is a place that a key takes and loses when its time is past: so many events in an interval, for as many keys as there is room
// for (Allow). What a process was admitted for stays when it dies.
//
// A hold is one of so many at a time for a key (Acquire). Each process counts in cells of its own, which are gone with it.
//
// A total is a block of words, claimed as counters are, that processes only add to (Add). Its columns are never zeroed: whoever has the column next goes on with
// what is there, so that no sum over them ever goes back.
//
// There are no locks, so a killed process leaves none behind; the supervisor zeroes its column in all parts, but not the totals in it, before it gives the
// column to another. Parts are mapped in their order, while other goroutines count.
package arena
