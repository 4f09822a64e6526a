// Package ledger is the record of what was done to an instance and what became of the connections it touched: an entry for each start,
// apply, roll, upgrade, restart, crash, stop and end of a worker, kept over the supervisors of an instance. An entry is closed, and
// logged, when the workers that it set to drain have gone. It runs in the supervisor's loop, which owns it; nothing here waits.
package ledger
