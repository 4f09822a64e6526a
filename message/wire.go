package message

import "sync/atomic"

// Wire keeps the bytes of a whole HTTP/1.1 response that is sent many times, from its first use on.
type Wire struct{ p atomic.Pointer[wireBytes] }

type wireBytes struct {
	bytes []byte
	head  int
}

// Load returns the response, of which the first head bytes are the head without the empty line at its end; nil before Store.
func (w *Wire) Load() (bytes []byte, head int) {
	if b := w.p.Load(); b != nil {
		return b.bytes, b.head
	}
	return nil, 0
}

// Store keeps a response.
func (w *Wire) Store(bytes []byte, head int) { w.p.Store(&wireBytes{bytes, head}) }
