// Package telemetry is how the processes speak of themselves: the application log (zap in front, own
// lines behind), the Writer that brings lines of many goroutines to one file, socket or function,
// and the reading of log targets as configurations name them.
//
// # How a line travels
//
//	Line -> buffer being filled --(full enough, Flush)--> the writer's goroutine -> write(2) of whole lines
//	            swaps with the one being written
//
// Whoever logs only copies its line under a mutex. A disk or a pipe that does not take what it is
// given stops the writer's goroutine and nobody else: the buffer fills to its limit, then lines are
// dropped and counted, and the beginning and the end of that are reported. A process that ends calls Close, which
// brings out what is buffered.
//
// For the journal (package journal) a line is an entry made of fields. Writer and encoder agree on that
// for each line, because the target may change at any time.
//
// # Process
//
// All of them. The supervisor opens log files and sockets and hands them out; this package
// opens no file, starts one goroutine per Writer, and reads neither flags nor environment.
package telemetry
