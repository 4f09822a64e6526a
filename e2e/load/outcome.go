package load

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// Kind is what a client does.
type Kind int

// The kinds, see the package's documentation.
const (
	Busy Kind = iota
	Idle
	Fresh
	Slow
	Upload
	WebSocket
	Events
	Loris
	SecureBusy
	SecureFresh
	SecureWebSocket
	Streams
	Calls
	kinds // how many there are
)

func (k Kind) String() string {
	return [...]string{"keep-alive", "idle keep-alive", "connection per request", "slow answer", "slow upload", "websocket", "events", "slow head",
		"tls keep-alive", "tls connection each", "tls websocket", "h2 streams", "h2 calls"}[k]
}

// secure says whether clients of the kind speak TLS.
func (k Kind) secure() bool { return k >= SecureBusy }

// fresh says whether they take a connection for each request.
func (k Kind) fresh() bool { return k == Fresh || k == SecureFresh }

// quick says whether their answers come at once, so that a time without any is the proxy's doing.
func (k Kind) quick() bool { return k <= Fresh || k == SecureBusy || k == SecureFresh }

// Outcome is how a request ended.
type Outcome int

// The outcomes. All but OK are failures.
const (
	OK        Outcome = iota
	Refused           // no connection
	Reset             // the connection ended after the request was begun and before a byte of the answer
	Cut               // it ended within the answer, a tunnel or an event
	BadStatus         // answered, with another status than expected
	Timeout           // no end of the answer in time
	WrongBody         // an answer that belongs to something else, or bytes nobody asked for
	outcomes          // how many there are
)

func (o Outcome) String() string {
	return [...]string{"ok", "refused", "reset before the answer", "cut", "bad status", "timeout", "wrong body"}[o]
}

// Failure is a request that did not end well.
type Failure struct {
	Kind         Kind
	Client       int    // its number, from 1
	Request      uint64 // of the client, from 0
	Outcome      Outcome
	Began, Ended time.Time
	Err          error
}

func (f Failure) String() string {
	return fmt.Sprintf("%s, client %d, request %d: %s after %v: %v", f.Kind, f.Client, f.Request, f.Outcome,
		f.Ended.Sub(f.Began).Round(time.Millisecond), f.Err)
}

// failed is an error with the outcome it means.
type failed struct {
	outcome Outcome
	err     error
}

func (f *failed) Error() string { return f.err.Error() }
func (f *failed) Unwrap() error { return f.err }

// fail makes an error that ends a request as o, unless a time limit is behind it.
func fail(o Outcome, err error) error {
	var timeout net.Error
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		o = Timeout
	}
	return &failed{o, err}
}

// outcomeOf is the outcome that an error means; what no one gave a meaning is Cut.
func outcomeOf(err error) Outcome {
	var f *failed
	switch {
	case err == nil:
		return OK
	case errors.As(err, &f):
		return f.outcome
	}
	return Cut
}
