package server

import (
	"sync"

	"pingap/message"
	"pingap/worker/http2/head"
)

// Head is the head of a request; see package head.
type Head = head.Head

// Handler takes requests.
type Handler interface {
	// Request is called on the goroutine that called Feed, for each request whose head is complete. It must not block: what
	// serves the stream is another goroutine, which calls Release at its end. h is valid during the call only.
	Request(s *Stream, h *Head)
}

// Writer is the way to the client's transport. One goroutine at a time calls it, without a lock held. It may block, and
// has to end with an error some time if the client takes nothing. p is valid during the call only.
type Writer interface {
	Write(p []byte) error
}

// Engine is what many connections share: options and pooled memory.
type Engine struct {
	o       Options
	limits  head.Limits
	classes [len(bufferSizes)]sync.Pool // *buffer
	streams sync.Pool                   // *Stream
	heads   sync.Pool                   // *headBuffer
}

// NewEngine returns an engine with options o.
func NewEngine(o Options) *Engine {
	e := &Engine{o: o.withDefaults()}
	e.limits = e.o.headLimits()
	return e
}

// bufferSizes are the sizes of pooled buffers: a short body or answer, a frame with its header, and output that grows.
var bufferSizes = [...]int{2 << 10, 17 << 10, 64 << 10, 256 << 10}

// noClass is the class of a buffer larger than all of them.
const noClass = uint8(len(bufferSizes))

// buffer is pooled memory: b[r:] is what it holds.
type buffer struct {
	b     []byte
	r     int
	class uint8
	next  *buffer
}

// buffer returns an empty buffer with room for n bytes.
func (e *Engine) buffer(n int) *buffer {
	for class, size := range bufferSizes {
		if n > size {
			continue
		}
		if b, ok := e.classes[class].Get().(*buffer); ok {
			return b
		}
		return &buffer{b: make([]byte, 0, size), class: uint8(class)}
	}
	return &buffer{b: make([]byte, 0, n), class: noClass}
}

// putBuffer takes a buffer back.
func (e *Engine) putBuffer(b *buffer) {
	if b.class == noClass {
		return
	}
	b.b, b.r, b.next = b.b[:0], 0, nil
	e.classes[b.class].Put(b)
}

// headBuffer is the memory of a head from its frame to the call of the handler.
type headBuffer struct {
	list message.Fields
	mem  []byte
	head Head
}

// headMem is how large the memory of a head is at first, and headKeep how large one may be to be pooled.
const (
	headMem  = 2 << 10
	headKeep = 16 << 10
)

func (e *Engine) headBuffer() *headBuffer {
	if h, ok := e.heads.Get().(*headBuffer); ok {
		return h
	}
	return &headBuffer{mem: make([]byte, 0, headMem)}
}

func (e *Engine) putHead(h *headBuffer) {
	h.head.Reset()
	h.list.Reset()
	if cap(h.mem) > headKeep {
		return
	}
	h.mem = h.mem[:0]
	e.heads.Put(h)
}

func (e *Engine) stream() *Stream {
	if s, ok := e.streams.Get().(*Stream); ok {
		return s
	}
	return new(Stream)
}
