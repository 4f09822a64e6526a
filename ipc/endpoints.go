package ipc

import "time"

// StateEndpoints is the kind of items that say where the backends of an upstream are, and how they are. Their key is the name of the
// upstream, an @, and config.Upstream.Source; the body is Endpoints.
const StateEndpoints = "endpoints"

// MaxEndpoints bounds the backends of one upstream.
const MaxEndpoints = 1024

// MaxEndpointReason bounds Endpoint.Reason in bytes.
const MaxEndpointReason = 160

// StateWishes is the kind of private items that say what operators want of backends that are in no list: such an item's key is the name
// of the upstream, and its body Wishes.
const StateWishes = "wishes"

// Wishes are what operators want of the backends of an upstream, as JSON.
type Wishes struct {
	List []Wish `json:"list"`
}

// Wish is what somebody wants of a backend.
type Wish struct {
	Network string    `json:"network,omitempty"`
	Address string    `json:"address"`
	Admin   Admin     `json:"admin"`
	By      string    `json:"by,omitempty"`
	At      time.Time `json:"at"`
	Absent  time.Time `json:"absent,omitzero"` // since when the backend is in no list; zero while it is
}

// Endpoints is the body of such an item, as JSON.
type Endpoints struct {
	Upstream string     `json:"upstream"`
	Source   string     `json:"source"`
	Record   RecordRef  `json:"record,omitzero"` // of the upstream itself
	List     []Endpoint `json:"list"`            // each address once
}

// RecordRef says which record of the arena belongs to something. The zero value is none.
type RecordRef struct {
	Row int    `json:"row,omitempty"` // the first is 1
	ID  uint64 `json:"id,omitempty"`  // what the record must say it is, never 0
}

// Endpoint is a backend.
type Endpoint struct {
	Network string    `json:"network,omitempty"` // "unix"; empty is tcp
	Address string    `json:"address"`           // "ip:port", "[v6]:port" or a path
	Weight  int       `json:"weight"`
	Backup  bool      `json:"backup,omitempty"`
	Health  Health    `json:"health,omitempty"`
	Admin   Admin     `json:"admin,omitempty"`
	Since   time.Time `json:"since,omitzero"` // when it came or became healthy, for slow_start; zero: before anything was seen of it
	Record  RecordRef `json:"record,omitzero"`

	// What follows is of no concern to workers: control goes on with it after a crash.
	From    string    `json:"from,omitempty"`   // the entry of addrs it came from
	Reason  string    `json:"reason,omitempty"` // of its health, at most MaxEndpointReason bytes
	Checked time.Time `json:"checked,omitzero"` // when its health became what it is; zero: before any check said so
}

// Health is what health checks say of a backend.
type Health string

// The kinds of health.
const (
	Healthy   Health = ""
	Unhealthy Health = "unhealthy"
	// Unchecked has no result yet, and is to get no requests before.
	Unchecked Health = "unchecked"
)

// Admin is what an operator wants of a backend.
type Admin string

// What operators want.
const (
	AdminUp Admin = ""
	// AdminDrain gets no new requests but those of clients that stick to it.
	AdminDrain Admin = "drain"
	// AdminDown gets no new requests at all.
	AdminDown Admin = "down"
)
