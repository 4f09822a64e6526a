// Package bodyparts knows whether a body that is passed on stands between two of its parts, events or messages, so that a worker
// which has to end can end it there. It keeps nothing of it. It runs in workers.
package bodyparts
