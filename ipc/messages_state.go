package ipc

import (
	"fmt"
	"slices"
	"time"
)

// Secret is bytes that only their receiver may see: nothing that prints or logs a message shows them.
type Secret []byte

// Format prints how long it is.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[secret of %d bytes]", len(s)) }

// Bounds of what is kept beside the configuration.
const (
	TicketKeySize = 32       // bytes of a key for TLS session tickets
	MaxTicketKeys = 3        // that are known at a time
	MaxStateItems = 65536    // items, all kinds together
	MaxStateBytes = 24 << 20 // bytes of all of them, names included
	MaxStateKey   = 1024     // bytes of an item's key
	MaxStateBody  = 1 << 20  // bytes of an item's body
	// MaxStateMessage is how many bytes of items one State carries at most, so that it stays well below MaxBody in base64. More
	// than one item goes alone.
	MaxStateMessage = 4 << 20
)

// TicketKeys are the keys for TLS session tickets. The first encrypts, all decrypt. It is not answered.
type TicketKeys struct {
	Since time.Time `json:"since"` // when the first began to encrypt, as the supervisor knows it
	Keys  []Secret  `json:"keys"`  // TicketKeySize bytes each, at most MaxTicketKeys
}

// Valid reports whether it can be used at all.
func (t *TicketKeys) Valid() bool {
	if len(t.Keys) == 0 || len(t.Keys) > MaxTicketKeys {
		return false
	}
	for _, k := range t.Keys {
		if len(k) != TicketKeySize {
			return false
		}
	}
	return true
}

// Kinds of a StateItem. They concern control and workers; the supervisor knows none of them.
const (
	StateCertificate     = "certificate"      // issued; key: name of its table, body: Certificate
	StateToken           = "token"            // of http-01; key: the token, body: the key authorization
	StateALPNCertificate = "alpn_certificate" // of tls-alpn-01; key: the domain, body: Certificate
	StatePictures        = "pictures"         // where pictures are made anew; key: PicturesKey, body: a token of PicturesToken bytes and the name of an abstract socket
	StateWeb             = "web"              // where control answers requests of HTTP; key: WebKey, body: a token of WebToken bytes and the name of an abstract socket
	StateTail            = "tail"             // somebody watches the lines of requests; key: a name of TailKey bytes at most, body: Tail. It expires unless it is told again
)

// WebKey is the key of the one item of kind StateWeb, WebToken the length of the token at the front of its body. Requests show it in
// hexadecimal in the field WebField.
const (
	WebKey   = "control"
	WebToken = 32
	WebField = "X-Pingap-Token"
	// Fields of requests that plugins pass on: the client's address, the scheme of its request, what was taken from the front of its path.
	WebClient = "X-Pingap-Client"
	WebScheme = "X-Pingap-Scheme"
	WebPrefix = "X-Pingap-Prefix"
	// WebAdmin is in front of the name of a plugin, escaped as a path is, in the path of what that one passes on.
	WebAdmin = "/admin/"
	// WebMetrics is in front of the name of a server, escaped as a path is, in the path of its metrics.
	WebMetrics = "/metrics/"
	// WebTail is where workers send lines that somebody watches: see TailLine.
	WebTail = "/tail/"
)

// Bounds of watching lines.
const (
	TailKey     = 32        // bytes of a key
	MaxTails    = 16        // that are watched at a time
	MaxTailRate = 1000      // lines per second of one
	MaxTailBody = 512 << 10 // bytes of lines that are sent at once
)

// Tail is the body of items of StateTail, as JSON: which requests somebody watches. What is zero asks for nothing.
type Tail struct {
	Location string   `json:"location,omitempty"` // its name
	Status   [][2]int `json:"status,omitempty"`   // ranges, the ends included; 0 is the status of a request that got none
	Slow     int64    `json:"slow,omitempty"`     // ns that it took at least
	Rate     int      `json:"rate"`               // lines per second, at most
}

// TailLost is in front of a number of lines that a worker could not send, in the place of a line. The body of a request to WebTail is lines, each of a key
// of StateTail, a blank, and the line that is meant for it. The answer is the keys that nobody watches any more, each on a line.
const TailLost = '!'

// StateItem is something that all workers are to know and that is no configuration.
type StateItem struct {
	Kind    string    `json:"kind"`
	Key     string    `json:"key"`
	Body    Secret    `json:"body,omitempty"`
	Expires time.Time `json:"expires,omitzero"` // it is worth nothing from then on; zero for never
	Gone    bool      `json:"gone,omitempty"`   // forget it
	// Private is for control alone: it is kept with the others, and workers are not told. The sender says it each time.
	Private bool `json:"private,omitempty"`
}

// Certificate is the body of items that are one, as JSON.
type Certificate struct {
	Domains []string `json:"domains,omitempty"`
	Chain   Secret   `json:"chain"` // PEM, the leaf first
	Key     Secret   `json:"key"`   // PEM
}

// Size is what it counts for MaxStateBytes and MaxStateMessage.
func (i *StateItem) Size() int { return len(i.Kind) + len(i.Key) + len(i.Body) }

// State changes items: control tells the supervisor, the supervisor tells all workers, and a fresh worker everything before it
// accepts. Without All, items that are not named stay as they are.
type State struct {
	Items []StateItem `json:"items"`
	All   bool        `json:"all,omitempty"` // items that are not named are forgotten
	// Kinds are those that All is about; none is every kind. So each part of control replaces what is its own.
	Kinds []string `json:"kinds,omitempty"`
	More  bool     `json:"more,omitempty"` // of an answer to StateRequest: there are items after the last
	// Number is for workers: the supervisor counts changes, and after this one they know everything up to it. 0 while more follows.
	Number uint64 `json:"number,omitempty"`
}

// Replaces says whether items of a kind that are not named are to be forgotten.
func (s *State) Replaces(kind string) bool {
	return s.All && (len(s.Kinds) == 0 || slices.Contains(s.Kinds, kind))
}

// StateRequest asks the supervisor for the items of a kind, in the order of their keys: control goes on with them after a crash. It is
// answered with State, of at most MaxStateMessage bytes.
type StateRequest struct {
	Kind  string `json:"kind"`
	After string `json:"after,omitempty"` // the last key that is known already
}

// StateTaken answers State: a worker has it, or all active workers have it.
type StateTaken struct {
	Workers int      `json:"workers,omitempty"` // that have it
	Missing []string `json:"missing,omitempty"` // active ones that do not, and why
}
