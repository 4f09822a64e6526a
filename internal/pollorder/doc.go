// Command pollorder makes the Go runtime hand out sockets in the order in which they became ready.
//
// The runtime's poller reads a batch of ready sockets from epoll, oldest first, and puts each at the head of the list of goroutines to
// run: who has waited longest runs last. On a busy core the slowest percent of requests pay for it with a second turn. Running
// the same list from its other end takes a quarter to a third off their latency and 5 to 8 % off the CPU time of a request
// (docs/decisions/0031).
//
//	pollorder DIR
//
// reads one file of the toolchain that runs it, turns the direction of one loop around, writes the result and an overlay for the go command into DIR,
// and prints the flag that makes it count: -overlay=DIR/overlay.json. Nothing of the toolchain is changed, and nothing else than that line:
// where the file is not as expected it says so on standard error and prints nothing, so that a build goes on with the runtime as it is.
// It is a tool of builds and runs outside of pingap's processes.
package main
