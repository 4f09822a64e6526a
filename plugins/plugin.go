package plugins

import (
	"io"
	"os"

	"pingap/message"
)

// Step is a point in the life of a request at which plugins run.
type Step uint8

// The steps in their order. The first three are request steps: a Decider runs at one of them.
const (
	NoStep Step = iota
	EarlyRequest
	Request
	ProxyUpstream
	UpstreamResponse
	Response
)

// stepNames are the values of the configuration key "step".
var stepNames = [...]string{
	NoStep: "", EarlyRequest: "early_request", Request: "request", ProxyUpstream: "proxy_upstream",
	UpstreamResponse: "upstream_response", Response: "response",
}

// String returns the value of the configuration key "step".
func (s Step) String() string { return stepNames[s] }

// ParseStep returns the step called name; false if there is none.
func ParseStep(name string) (Step, bool) {
	for i, n := range stepNames {
		if n == name && i > 0 {
			return Step(i), true
		}
	}
	return NoStep, false
}

// Plugin is an instance of a plugin: a value that implements at least one of the step interfaces.
type Plugin any

// Decider acts before a request goes upstream. It may change the request through the exchange, and
// may answer.
type Decider interface {
	Decide(*Exchange) Decision
}

// UpstreamResponder acts on the head that came from the upstream, before it is cached.
type UpstreamResponder interface {
	UpstreamResponse(*Exchange)
}

// Responder acts on a proxied or cached response head before it is sent.
type Responder interface {
	Response(*Exchange)
}

// BodyFilterer may put a filter into the way of the response body. It runs after the Responders;
// nil means that this response is left alone. Taking a body means that its length is no longer
// known: the proxy drops Content-Length, and ETag and Accept-Ranges are the plugin's business. The filter may keep the
// exchange until it has ended (see Ender).
type BodyFilterer interface {
	BodyFilter(*Exchange) Filter
}

// Placed is a BodyFilterer whose parameters say where it stands: at UpstreamResponse, before a Storer, or at Response. Without it the key
// "step" says so.
type Placed interface {
	BodyStep() Step
}

// Filter transforms one response body as it passes. It belongs to one response.
type Filter interface {
	// Filter appends to dst what is to be sent for piece, and returns it. piece is valid during
	// the call only. last tells that no more will come; then everything held back must go out.
	// An error cuts the response off.
	Filter(dst, piece []byte, last bool) ([]byte, error)
}

// Flusher is a Filter that holds bytes back. Flush is called when the upstream pauses: it appends what can be sent by now.
type Flusher interface {
	Flush(dst []byte) ([]byte, error)
}

// Ender is a Filter, or anything else of one exchange (see Exchange.AtEnd), that is told when it is over: once, whatever happened. complete
// tells that the response's body was there to its end.
type Ender interface {
	End(complete bool)
}

// Wanter is the filter of a Storer that may want the rest of a body whose client has left. While Wanted says true the response is read
// on, within the upstream's time-outs; nothing is sent, and filters behind this one see no more of it.
type Wanter interface {
	Wanted() bool
}

// Storer stands between the upstream's response and what is made of it for this client: after the UpstreamResponders and the filters
// of instances whose step is upstream_response, before the Responders and all other filters. A location has one at most.
type Storer interface {
	// Store sees the head of the upstream's response. An answer takes its place: the upstream's body is not read. A filter sees the body;
	// it must pass it unchanged. The answer's fields must not be views of the exchange. It is not asked for "101 Switching Protocols".
	Store(*Exchange) (Filter, *Answer)
	// Rescue may give an answer where the upstream gave none: nothing was sent to the client yet. status is that of the error to be
	// answered otherwise, 500 or more. nil for none. A filter that Store gave has been ended before.
	Rescue(e *Exchange, status int) *Answer
}

// Decision is what a Decider wants: to go on, or to answer.
type Decision struct {
	// Answer ends the request when it is not nil.
	Answer *Answer
	// Refresh has the request sent to the upstream besides, in the background and for the Storer alone: nobody waits for it. It is the
	// request as it is now, and the Storer hears of the answer by Store or Rescue, whose answers are thrown away. Deciders do not run again.
	Refresh bool
	// Reason says why in a few constant words, for logs and explain (see Foresight); it never holds client data.
	Reason string
}

// Continue lets the request go on.
var Continue = Decision{} //nolint // a value, never changed

// Respond ends the request with an answer.
func Respond(answer *Answer, reason string) Decision {
	return Decision{Answer: answer, Reason: reason}
}

// Answer is a response made here. It may be built once and shared by all requests: the proxy never
// changes it. The proxy adds framing, Date where Fields has none, and "Cache-Control: private, no-cache" where
// Fields has no Cache-Control and the answer is no Content.
//
// Its body is one of Body, File and Stream; with File or Stream it belongs to one request, and the proxy closes both, sent or not.
type Answer struct {
	Status int
	Fields []message.Field
	Body   []byte
	File   *FilePart
	Stream Stream
	// Content tells that this is what the client came for, a file or a stored response, and no refusal: Responders and filters of the
	// location act on it as on a response of an upstream.
	Content bool
	// Wire is for a Body that is given many times with status 200: the proxy keeps in it what it sends. Nil for none.
	Wire *message.Wire
	// Inside has control make the answer; nothing else of this one counts then.
	Inside *Inside
}

// Inside is a request as control gets it: its target there, and the path that was taken from its front, for answers that name others.
type Inside struct {
	Target []byte
	Prefix string
}

// FilePart is a body that lies in a file, which is read without changing its offset.
type FilePart struct {
	File           *os.File
	Offset, Length int64
}

// Stream is a body that is still being made. Its methods are called by one goroutine.
type Stream interface {
	// Length is that of the whole body in bytes, message.LengthUnknown if that is not known.
	Length() int64
	// Next returns the next bytes, valid until the next call; io.EOF behind the last. It may wait for them, in bounds of its own. Another error
	// cuts the response off.
	Next() ([]byte, error)
	io.Closer
}

// Readier is a Stream that can tell whether Next would return at once. What was made of the bytes before is held back until it would not;
// without it every piece is sent on as it comes.
type Readier interface {
	Ready() bool
}

// AddField appends a field to an answer that is being built.
func (a *Answer) AddField(name, value string) {
	n := []byte(name)
	a.Fields = append(a.Fields, message.Field{Name: n, Value: []byte(value), ID: message.LookupName(n)})
}

// Text builds a plain-text answer.
func Text(status int, body string) *Answer {
	a := &Answer{Status: status, Body: []byte(body)}
	a.AddField("Content-Type", "text/plain; charset=utf-8")
	return a
}
