// Package tail shows the lines of requests as they end, of all workers, to those who watch.
//
// Each of them has a watch: it is told to workers as an item of ipc.State, which expires unless it is told again, so that nothing is left of a
// control process that died. Workers of all generations send lines that match (worker/tail), in batches, to the HTTP server of control,
// and the Hub passes them on as server-sent events. A line waits for nobody: where one who watches is too slow, or wants more lines per second than
// its limit, lines are dropped, and it is told how many.
//
// It runs in control and owns its watches. What a worker sends is judged: one that is hostile can make lines up, but no event.
package tail
