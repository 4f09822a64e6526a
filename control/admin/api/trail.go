package api

import (
	"context"
	"net/http"
)

// Trail is what a route has the audit log say of a write. An empty What is made of the request.
type Trail struct {
	What    string // "upstream:api changed"
	Version uint64 // that came of it; 0 for none
}

type trailKey struct{}

// WithTrail adds an empty one.
func WithTrail(ctx context.Context) (context.Context, *Trail) {
	t := &Trail{}
	return context.WithValue(ctx, trailKey{}, t), t
}

// TrailOf is that of a request, never nil.
func TrailOf(ctx context.Context) *Trail {
	if t, ok := ctx.Value(trailKey{}).(*Trail); ok {
		return t
	}
	return &Trail{}
}

// Dry says whether a request asks what it would come to, and for nothing to be done.
func Dry(r *http.Request) bool {
	values, ok := r.URL.Query()["dry_run"]
	return ok && values[0] != "false" && values[0] != "0"
}

// Unsafe says whether a method may change something (RFC 9110, section 9.2.1).
func Unsafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return false
	}
	return true
}
