// Package spread is the arithmetic of choosing: the order of turns by weight, the ring that keys are on, and what of a request is the key.
// It runs in workers, and knows no backends: only their weights, and hashes of their addresses. What it makes never changes.
package spread
