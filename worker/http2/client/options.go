package client

import (
	"sync"
	"time"

	"pingap/worker/http2/buffer"
)

// Options are the limits of a connection. The zero value works.
type Options struct {
	// MaxStreams bounds the streams open at a time, below what the peer allows. 0 leaves it to the peer.
	MaxStreams int
	// StreamWindow is how many bytes of one response the peer may send ahead of the reader. Default 1 MiB.
	StreamWindow int
	// ConnWindow is how many bytes of all responses may be on their way at once. It is given back as they come: slow readers hold up
	// nobody else. With half of it unread the connection takes no new streams. Default 8 MiB.
	ConnWindow int
	// MaxHead bounds a response head with its interim ones, and the trailers, by the count of RFC 9113
	// section 10.5.1: names and values and 32 bytes a field. Default 64 KiB.
	MaxHead int
	// MaxFields bounds the number of fields of a head. Default 256.
	MaxFields int
	// PingIdle is how long a connection without streams may be silent before a PING asks whether the peer is
	// still there. 0 never asks.
	PingIdle time.Duration
	// PingWaiting is the same while streams are open. Default 15 s.
	PingWaiting time.Duration
	// PingTimeout is how long a PING may remain without any answer. Default 10 s.
	PingTimeout time.Duration
	// SettingsTimeout is how long the peer's SETTINGS, and the answer to ours, may take. Default 10 s.
	SettingsTimeout time.Duration
	// WriteTimeout is how long the peer may refuse to take a byte that waits to be written. Default 60 s.
	WriteTimeout time.Duration
	// Pools are the buffers that connections share. Without, a connection has its own.
	Pools *Pools
	// Closed is called once, when the connection has ended, from a goroutine of its own engine.
	Closed func(*Conn)
}

// withDefaults fills in what is not set.
func (o Options) withDefaults() Options {
	number(&o.StreamWindow, 1<<20)
	number(&o.ConnWindow, 8<<20)
	o.StreamWindow = min(max(o.StreamWindow, minWindow), maxWindow)
	o.ConnWindow = min(max(o.ConnWindow, minWindow), maxWindow)
	number(&o.MaxHead, 64<<10)
	number(&o.MaxFields, 256)
	number(&o.PingWaiting, 15*time.Second)
	number(&o.PingTimeout, 10*time.Second)
	number(&o.SettingsTimeout, 10*time.Second)
	number(&o.WriteTimeout, 60*time.Second)
	if o.Pools == nil {
		o.Pools = new(Pools)
	}
	return o
}

func number[T int | time.Duration](value *T, usual T) {
	if *value <= 0 {
		*value = usual
	}
}

const (
	// inSize is the buffer of a connection that reads; a whole frame fits into it.
	inSize = 64 << 10
	// outSize is what an output buffer begins with, and outKeep the largest that is used again.
	outSize = 4 << 10
	outKeep = 128 << 10
	// outData is how much is queued before bodies wait; outFull before new requests are refused.
	outData = 64 << 10
	outFull = 1 << 20
)

// Pools are buffers that the connections of a worker share. The zero value is ready.
type Pools struct {
	in, out sync.Pool
	blocks  buffer.Pool
}

type inBuffer [inSize]byte

type outBuffer struct{ b []byte }

func (p *Pools) getIn() *inBuffer {
	if b, ok := p.in.Get().(*inBuffer); ok {
		return b
	}
	return new(inBuffer)
}

func (p *Pools) getOut() *outBuffer {
	if b, ok := p.out.Get().(*outBuffer); ok {
		return b
	}
	return &outBuffer{make([]byte, 0, outSize)}
}

func (p *Pools) putOut(b *outBuffer) {
	if cap(b.b) > outKeep {
		return
	}
	b.b = b.b[:0]
	p.out.Put(b)
}
