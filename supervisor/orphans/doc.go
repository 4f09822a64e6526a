// Package orphans takes note of the end of processes that this one did not start. In a container the supervisor is process 1, and the
// kernel gives it every process whose parent has died; without somebody who waits for them they stay as zombies and use
// up process ids. It runs in the supervisor, only there, and never waits for what the supervisor itself started.
package orphans
