// Package tail sends the lines of requests that somebody watches to control: those of the access log in its json format, made by the same code, so
// what is hidden there is hidden here.
//
// It runs in workers. While nobody watches, a request costs one atomic load, in worker/proxy. Else each watcher has a rate; what matches
// and is beyond it is counted and not made a line. Lines wait in one buffer of a bounded size, which is sent ten times a second; what
// finds no room is dropped and counted. No request waits for control, and nothing is sent twice.
//
// A watch ends when control says so, when its time is over, and when control does not know it any more.
package tail
