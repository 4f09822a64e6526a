package bodyparts

import (
	"pingap/worker/eventstream"
	"pingap/worker/grpc"
)

// Kind is what the parts of a body are.
type Kind uint8

// What a body may be made of.
const (
	None     Kind = iota // nothing that is known here
	Events               // of a stream of server-sent events
	Messages             // of a call of gRPC
)

// Parts follows a body as it passes, so that it can be ended between two of its parts. The zero value knows of none.
type Parts struct {
	kind     Kind
	events   eventstream.Tracker
	messages grpc.Messages
}

// Begin begins to follow a body at its start.
func (p *Parts) Begin(kind Kind) {
	p.kind = kind
	if kind == Events {
		p.events = eventstream.Begin()
	}
}

// Kind returns what is followed.
func (p *Parts) Kind() Kind { return p.kind }

// Known reports whether there are parts that are followed.
func (p *Parts) Known() bool { return p.kind != None }

// Feed takes the next bytes.
func (p *Parts) Feed(data []byte) {
	switch p.kind {
	case Events:
		p.events.Feed(data)
	case Messages:
		p.messages.Feed(data)
	}
}

// Between reports whether the body stands between two parts.
func (p *Parts) Between() bool {
	return p.kind == Events && p.events.Between() || p.kind == Messages && p.messages.Between()
}
