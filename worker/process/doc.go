// Package process is what a worker does with itself as a process: its name and limits, and the figures that the system
// keeps of it. It knows nothing of what is served, and runs in workers only.
package process
