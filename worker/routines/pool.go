package routines

import "sync"

// Task is something to do.
type Task interface {
	// Run does it.
	Run()
}

// Pool is a set of goroutines. The zero value is ready. Its methods may be called by any goroutine.
type Pool struct {
	mu     sync.Mutex // guards all below
	idle   []*routine // the one that was used last is at the end
	spare  int        // how many were idle all the time since Trim
	closed bool
}

// routine is a goroutine that waits for a task. A nil task ends it.
type routine struct{ next chan Task }

// Go runs a task on a goroutine of its own.
func (p *Pool) Go(t Task) {
	p.mu.Lock()
	n := len(p.idle) - 1
	if n < 0 {
		p.mu.Unlock()
		go p.run(t) // ends by Trim or Close
		return
	}
	r := p.idle[n]
	p.idle[n] = nil
	p.idle = p.idle[:n]
	p.spare = min(p.spare, n)
	p.mu.Unlock()
	r.next <- t // there is room: it waits, or is about to
}

func (p *Pool) run(t Task) {
	r := &routine{next: make(chan Task, 1)}
	for t != nil {
		t.Run()
		if !p.rest(r) {
			return
		}
		t = nil // what was done is not kept alive meanwhile
		t = <-r.next
	}
}

// rest puts a routine back. It reports whether it is to go on.
func (p *Pool) rest(r *routine) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.idle = append(p.idle, r)
	return true
}

// Trim ends those that had nothing to do since the last call. It is called about once a second.
func (p *Pool) Trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked(p.spare)
	p.spare = len(p.idle)
}

// Shed ends all that have nothing to do.
func (p *Pool) Shed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked(len(p.idle))
}

// Close ends them all, those at work with their tasks. Go still works.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.endLocked(len(p.idle))
}

// endLocked ends the n that were idle the longest.
func (p *Pool) endLocked(n int) {
	for _, r := range p.idle[:n] {
		r.next <- nil
	}
	left := copy(p.idle, p.idle[n:])
	clear(p.idle[left:])
	p.idle = p.idle[:left]
	p.spare = min(p.spare, left)
}
