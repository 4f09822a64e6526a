package server

import (
	"time"

	"pingap/message"
	"pingap/worker/http2/head"
)

// Options of an Engine. The zero value works: every limit that is 0 has its default.
type Options struct {
	// MaxStreams is how many streams a client may have open at once, 128 without a value.
	MaxStreams int
	// StreamWindow and ConnWindow are the receive windows in bytes: how much of bodies may lie here unread, of one stream
	// and of all. Without values 1 MiB and 4 MiB.
	StreamWindow, ConnWindow int
	// MaxFrame is the largest frame that is taken, in bytes: 16 KiB, the least that the protocol allows, without a value.
	MaxFrame int
	// HeadSize is the largest field list in bytes as RFC 9113 section 10.5.1 counts them, 64 KiB without a value; HeadFields
	// the largest number of fields (128), TargetSize the longest :path in bytes (8 KiB).
	HeadSize, HeadFields, TargetSize int
	// Output is how many bytes may be queued for the transport before those who write wait, 128 KiB without a value.
	Output int
	// NoConnect refuses extended CONNECT (RFC 8441).
	NoConnect bool

	// SendTimeout is how long a Write may take without a deadline of its own, 60 s without a value. The stream is reset then.
	SendTimeout time.Duration
	// SettingsTimeout is how long the client has to acknowledge our settings, 10 s without a value.
	SettingsTimeout time.Duration
	// PingAfter is how long a connection with open streams may be silent before it is asked for a sign of life, 30 s
	// without a value; PingTimeout how long it has to answer, 15 s.
	PingAfter, PingTimeout time.Duration

	// Resets is how many streams a client may end early at once, by resetting them or by mistakes for which they are
	// reset here (200 without a value); ResetsPerSecond is how fast that is forgiven (100).
	Resets, ResetsPerSecond int
	// Control is how many frames a client may send at once that carry nothing: settings, pings, priorities, window updates,
	// resets, unknown ones (2000); ControlPerSecond is how fast that is forgiven (500). Every data frame sent or
	// received with at least 64 bytes, and every request, forgives one as well.
	Control, ControlPerSecond int
	// Empty is the same for data and header frames without content (100); EmptyPerSecond how fast that is forgiven (20).
	Empty, EmptyPerSecond int
	// Continuations is the largest number of frames that a field block may have behind its first (32).
	Continuations int

	// Now is the clock in nanoseconds, message.Now without a value.
	Now func() int64
}

// controlBytes is how many bytes of answers to control frames may be queued: a client that asks and does not read.
const controlBytes = 64 << 10

// sendFrame is the largest DATA frame that is sent. Every peer must take this much.
const sendFrame = 16 << 10

// initialWindow is the size of all windows before anybody says otherwise (RFC 9113 section 6.9.2), maxWindow the largest.
const (
	initialWindow = 65535
	maxWindow     = 1<<31 - 1
)

// withDefaults returns the options with a value for each.
func (o Options) withDefaults() Options {
	ints := []struct {
		value *int
		def   int
	}{
		{&o.MaxStreams, 128}, {&o.StreamWindow, 1 << 20}, {&o.ConnWindow, 4 << 20}, {&o.MaxFrame, 16 << 10},
		{&o.HeadSize, 64 << 10}, {&o.HeadFields, 128}, {&o.TargetSize, 8 << 10}, {&o.Output, 128 << 10},
		{&o.Resets, 200}, {&o.ResetsPerSecond, 100}, {&o.Control, 2000}, {&o.ControlPerSecond, 500},
		{&o.Empty, 100}, {&o.EmptyPerSecond, 20}, {&o.Continuations, 32},
	}
	for _, i := range ints {
		if *i.value <= 0 {
			*i.value = i.def
		}
	}
	o.StreamWindow = min(o.StreamWindow, maxWindow)
	o.ConnWindow = min(max(o.ConnWindow, initialWindow), maxWindow) // it can only be made larger
	o.MaxFrame = min(max(o.MaxFrame, 16<<10), 1<<24-1)
	spans := []struct {
		value *time.Duration
		def   time.Duration
	}{
		{&o.SendTimeout, time.Minute}, {&o.SettingsTimeout, 10 * time.Second},
		{&o.PingAfter, 30 * time.Second}, {&o.PingTimeout, 15 * time.Second},
	}
	for _, s := range spans {
		if *s.value <= 0 {
			*s.value = s.def
		}
	}
	if o.Now == nil {
		o.Now = message.Now
	}
	return o
}

// headLimits are the limits of a request head.
func (o *Options) headLimits() head.Limits {
	return head.Limits{Fields: o.HeadFields, Target: o.TargetSize}
}
