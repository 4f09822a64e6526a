package auth

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"pingap/control/admin/api"
)

const (
	maxLogin  = 4 << 10 // bytes of a body
	usualLast = 100     // entries of the audit log
)

// Session is what somebody is told of themselves.
type Session struct {
	User    string `json:"user"`
	Role    string `json:"role"` // read, write, or none of nobody
	CSRF    string `json:"csrf"`
	Expires string `json:"expires"` // RFC 3339; empty for never
	How     string `json:"how"`     // session, token or socket; empty of nobody
}

// Routes are logging in and out, and the audit log.
func (g *Gate) Routes() []api.Route {
	return []api.Route{
		{Method: http.MethodPost, Path: "/login", Need: api.Anyone, Body: maxLogin, Serve: g.login},
		{Method: http.MethodPost, Path: "/logout", Need: api.Anyone, Body: maxLogin, Serve: g.logout},
		{Method: http.MethodGet, Path: "/session", Need: api.Anyone, Serve: g.session},
		{Method: http.MethodGet, Path: "/audit", Need: api.Reader, Serve: g.auditLog},
	}
}

func (g *Gate) login(w http.ResponseWriter, r *http.Request) error {
	way := wayOf(r.Context())
	if way == nil {
		return api.Errorf(http.StatusBadRequest, "there is nothing to log in to: the user of the socket is known")
	}
	var given struct {
		User     string `json:"user"`
		Password string `json:"password"`
	}
	if err := api.ReadJSON(r, &given); err != nil {
		return err
	}
	now := g.now()
	if err := g.locked(way, now); err != nil {
		return err
	}
	u, right, err := g.rightPassword(r.Context(), way.guard.Settings, given.User, given.Password)
	if err != nil {
		return err
	}
	if !right {
		g.failed(r, way, Entry{At: now, User: given.User, How: "session", What: "log in"})
		return api.Errorf(http.StatusUnauthorized, "user or password is wrong")
	}
	if way.session != "" {
		g.sessions.end(way.session)
	}
	token, err := g.sessions.open(way.Plugin, u, now)
	if err != nil {
		return err
	}
	g.nudge()
	way.session, way.expires = token, now.Add(way.guard.age)
	who := api.Who{User: u.Name, How: "session", Addr: way.Addr, Role: u.role}
	g.note(r, who, "log in", "ok", 0)
	http.SetCookie(w, way.cookie(token, int(way.guard.age/time.Second)))
	return api.WriteJSON(w, sessionOf(who, way))
}

// cookie is that of a session; one that ends at once with an age below 0.
func (way *Way) cookie(token string, age int) *http.Cookie {
	return &http.Cookie{Name: cookieName, Value: token, Path: way.Prefix + "/", MaxAge: age, HttpOnly: true, Secure: way.Secure, SameSite: http.SameSiteStrictMode}
}

// logout ends the session of the request. Having none is no mistake.
func (g *Gate) logout(w http.ResponseWriter, r *http.Request) error {
	if way := wayOf(r.Context()); way != nil && way.session != "" {
		g.sessions.end(way.session)
		g.nudge()
		g.note(r, api.WhoOf(r.Context()), "log out", "ok", 0)
		http.SetCookie(w, way.cookie("", -1))
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// nudge has sessions written soon.
func (g *Gate) nudge() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// session says who asks. Nobody is a mistake, but with ?optional it is an answer: browsers log every status of an error.
func (g *Gate) session(w http.ResponseWriter, r *http.Request) error {
	if api.WhoOf(r.Context()).Role == api.Anyone && !r.URL.Query().Has("optional") {
		return api.Errorf(http.StatusUnauthorized, "log in first")
	}
	return api.WriteJSON(w, sessionOf(api.WhoOf(r.Context()), wayOf(r.Context())))
}

func sessionOf(who api.Who, way *Way) Session {
	s := Session{User: who.User, Role: who.Role.String(), How: who.How}
	if way == nil {
		return s
	}
	if way.session != "" {
		s.CSRF = csrfOf(way.session)
	}
	if !way.expires.IsZero() {
		s.Expires = way.expires.UTC().Format(time.RFC3339)
	}
	return s
}

func (g *Gate) auditLog(w http.ResponseWriter, r *http.Request) error {
	limit := usualLast
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxAudit {
			return api.Errorf(http.StatusBadRequest, "limit: expected 1 to %d", maxAudit)
		}
		limit = n
	}
	return api.WriteJSON(w, struct {
		Entries []Entry `json:"entries"`
	}{append([]Entry{}, g.audit.last(limit)...)})
}

// note enters what somebody did.
func (g *Gate) note(r *http.Request, who api.Who, what, result string, version uint64) {
	g.audit.add(Entry{At: g.now(), User: who.User, Addr: who.Addr, How: who.How, Method: r.Method, Path: r.URL.EscapedPath(), What: what, Result: result, Version: version})
}

// Note enters what came of a write: who is in the request's context.
func (g *Gate) Note(r *http.Request, what string, status int, message string, version uint64) {
	result := "ok"
	if status >= 400 {
		result = fmt.Sprintf("%d: %s", status, message)
	}
	g.note(r, api.WhoOf(r.Context()), what, result, version)
}
