// Package stats answers a path with figures of the worker and the machine as JSON, and counts requests of the locations that it is in.
//
// All figures are of the worker process that answers, or of the machine, and say so: with several workers each answer is about one of them.
// `pingap status` has the figures of the whole instance.
//
// It runs in workers. Its counts live as long as the worker, whatever becomes of the instance.
package stats
