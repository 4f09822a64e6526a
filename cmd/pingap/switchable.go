package main

import (
	"io"
	"sync"
)

// switchable is a writer whose target can be changed while it is in use.
type switchable struct {
	mu sync.Mutex // guards to
	to io.Writer
}

func (r *switchable) set(to io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = to
}

func (r *switchable) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.to.Write(p)
}
