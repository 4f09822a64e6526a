package api

import (
	"context"
	"net/http"
)

// Role is what somebody may do.
type Role uint8

const (
	// Anyone needs no session.
	Anyone Role = iota
	// Reader may look.
	Reader
	// Writer may change.
	Writer
)

// String is the word for it in answers.
func (r Role) String() string {
	switch r {
	case Reader:
		return "read"
	case Writer:
		return "write"
	}
	return "none"
}

// Who asks.
type Who struct {
	User string // for the audit log: the name that logged in, that of the token, or "uid 0"
	How  string // session, token or socket
	Addr string // of the client, without port; empty on the unix socket
	Role Role
}

// Route is one method of one path. Path is below "/api", with wildcards as http.ServeMux has them: "/objects/{category}/{name}".
type Route struct {
	Method string
	Path   string
	Need   Role
	// Body is the longest body taken, in bytes; 0 takes none.
	Body int64
	// Tries says that it knows requests that are Dry. Other routes that write refuse them.
	Tries bool
	// Stream lifts the bound on how long the answer may take: it ends with the client, or with control.
	Stream bool
	// Serve answers. What it returns is answered by WriteError, if nothing was written yet.
	Serve func(w http.ResponseWriter, r *http.Request) error
}

type whoKey struct{}

// WithWho notes who asks.
func WithWho(ctx context.Context, who Who) context.Context {
	return context.WithValue(ctx, whoKey{}, who)
}

// WhoOf says who asks; the zero value where nobody was noted.
func WhoOf(ctx context.Context) Who {
	who, _ := ctx.Value(whoKey{}).(Who)
	return who
}
