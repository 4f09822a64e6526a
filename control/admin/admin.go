package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"

	"pingap/control/admin/api"
	"pingap/control/admin/auth"
)

// Limits on requests.
const (
	maxPlain   = 16 // at once, of those that are answered at once
	maxStreams = 48 // at once, of those that last
)

// Options of New.
type Options struct {
	Log *zap.Logger
	// Routes are all that is answered below /api.
	Routes []api.Route
	// Gate finds out who asks, and keeps the audit log.
	Gate *auth.Gate
	// Panel answers everything else; nil is 404.
	Panel http.Handler
}

// Handler answers requests whose asker is known.
type Handler struct {
	log     *zap.Logger
	gate    *auth.Gate
	api     http.ServeMux
	panel   http.Handler
	plain   chan struct{} // places of requests
	streams chan struct{} // likewise
	ids     atomic.Uint64 // of requests that panicked
}

// New makes one. A route whose path is no pattern, or that is there twice, is a mistake in the program: it panics.
func New(o Options) *Handler {
	h := &Handler{log: o.Log, gate: o.Gate, panel: o.Panel, plain: make(chan struct{}, maxPlain), streams: make(chan struct{}, maxStreams)}
	if h.panel == nil {
		h.panel = http.NotFoundHandler()
	}
	methods := map[string][]string{}
	for _, r := range append(o.Gate.Routes(), o.Routes...) {
		h.api.HandleFunc(r.Method+" /api"+r.Path, h.route(r))
		methods[r.Path] = append(methods[r.Path], r.Method)
	}
	// A path without a method could contradict one with a method and a wildcard: these are looked up by themselves.
	var paths http.ServeMux
	for path, known := range methods {
		paths.HandleFunc("/api"+path, wrongMethod(known))
	}
	paths.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		api.WriteError(w, api.Errorf(http.StatusNotFound, "there is no %s", r.URL.Path))
	})
	h.api.Handle("/api/", &paths)
	return h
}

// serve answers a request of somebody who is known.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, who api.Who) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Frame-Options", "DENY")
	if r.URL.Path != "/api" && !strings.HasPrefix(r.URL.Path, "/api/") {
		h.limited(w, r, h.plain, h.panel.ServeHTTP)
		return
	}
	h.api.ServeHTTP(w, r.WithContext(api.WithWho(r.Context(), who)))
}

// wrongMethod answers where a path has other methods.
func wrongMethod(known []string) http.HandlerFunc {
	allow := strings.Join(known, ", ")
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		api.WriteError(w, api.Errorf(http.StatusMethodNotAllowed, "%s takes %s", r.URL.Path, allow))
	}
}

// answer is a response writer that knows whether anything was written.
type answer struct {
	http.ResponseWriter
	status int // 0 until then
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// route answers one route.
func (h *Handler) route(route api.Route) http.HandlerFunc {
	places := h.plain
	if route.Stream {
		places = h.streams
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h.admit(w, r, route); err != nil {
			if route.Need == api.Writer && api.WhoOf(r.Context()).Role > api.Anyone {
				h.note(r, &api.Trail{}, err, 0)
			}
			api.WriteError(w, err)
			return
		}
		h.limited(w, r, places, func(w http.ResponseWriter, r *http.Request) { h.run(w, r, route) })
	}
}

// admit says why a request is not let through to a route, and sets its bounds.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request, route api.Route) error {
	if who := api.WhoOf(r.Context()); who.Role < route.Need {
		if who.Role == api.Anyone {
			return api.Errorf(http.StatusUnauthorized, "log in first")
		}
		return api.Errorf(http.StatusForbidden, "this needs the role %s, and %s has the role %s", route.Need, who.User, who.Role)
	}
	if api.Dry(r) && writes(route) && !route.Tries {
		return api.Errorf(http.StatusBadRequest, "this cannot be tried without being done")
	}
	if r.ContentLength > route.Body {
		return api.Errorf(http.StatusRequestEntityTooLarge, "the body is longer than %d bytes", route.Body)
	}
	r.Body = http.MaxBytesReader(w, r.Body, route.Body)
	return bound(w, route)
}

// run has a route answer, and notes what came of it.
func (h *Handler) run(w http.ResponseWriter, r *http.Request, route api.Route) {
	ctx, trail := api.WithTrail(r.Context())
	if route.Stream {
		var release func()
		ctx, release = h.gate.Stream(ctx)
		defer release()
	}
	r = r.WithContext(ctx)
	a := &answer{ResponseWriter: w}
	defer h.recovered(a, r)
	err := route.Serve(a, r)
	if err != nil && a.status == 0 {
		api.WriteError(a, err)
	}
	if writes(route) {
		h.note(r, trail, err, a.status)
	}
}

// writes says whether the audit log is to know of a route's requests.
func writes(route api.Route) bool { return route.Need == api.Writer && api.Unsafe(route.Method) }

// note has the audit log say what came of a write, unless it was only tried out.
func (h *Handler) note(r *http.Request, trail *api.Trail, err error, status int) {
	if api.Dry(r) { // admit lets only those through that do nothing then
		return
	}
	message := ""
	if err != nil {
		message = err.Error()
		if status < 400 {
			status = http.StatusInternalServerError
		}
		var own *api.Error
		if errors.As(err, &own) {
			status = own.Status
		}
	}
	what := trail.What
	if what == "" {
		what = strings.ToLower(r.Method) + " " + strings.TrimPrefix(r.URL.Path, "/api/")
	}
	h.gate.Note(r, what, status, message, trail.Version)
}

// limited has serve answer if there is a place.
func (h *Handler) limited(w http.ResponseWriter, r *http.Request, places chan struct{}, serve http.HandlerFunc) {
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
		serve(w, r)
	default:
		api.WriteError(w, &api.Error{Status: http.StatusServiceUnavailable, Message: "too many requests at once", Retry: 1})
	}
}

// recovered answers where a route panicked: control has more to do than this, and goes on.
func (h *Handler) recovered(a *answer, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	id := h.ids.Add(1)
	h.log.Error("panic", zap.Uint64("id", id), zap.String("method", r.Method), zap.String("path", r.URL.Path),
		zap.String("cause", fmt.Sprint(cause)), zap.ByteString("stack", debug.Stack()))
	if api.WhoOf(r.Context()).Role > api.Anyone && api.Unsafe(r.Method) {
		h.note(r, api.TrailOf(r.Context()), fmt.Errorf("panic %d", id), 0)
	}
	if a.status != 0 {
		panic(http.ErrAbortHandler) // what was begun cannot be ended well
	}
	api.WriteError(a, api.Errorf(http.StatusInternalServerError, "this is a mistake in pingap: its log says more, under panic %d", id))
}

// Local answers requests from the unix socket: who may connect there may do everything. uid says which user asks, false that nobody knows.
func (h *Handler) Local(uid func(context.Context) (uint32, bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := uid(r.Context())
		if !ok {
			api.WriteError(w, api.Errorf(http.StatusForbidden, "it is not known who asks"))
			return
		}
		if err := sameSite(r); err != nil {
			api.WriteError(w, err)
			return
		}
		h.serve(w, r, api.Who{User: fmt.Sprintf("uid %d", id), How: "socket", Role: api.Writer})
	})
}
