package auth

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"pingap/config/credential"
	"pingap/control/admin/api"
)

const (
	cookieName = "pingap_session"
	csrfField  = "X-CSRF-Token"
	maxCookies = 4 // of that name that are looked at: one for each path above this one
	saveEvery  = time.Minute
	maxAge     = 30 * 24 * time.Hour // of any session
)

// Gate is whom requests have to pass. Make it with New.
type Gate struct {
	log      *zap.Logger
	now      func() time.Time
	sessions sessions
	lockout  lockout
	audit    audit
	hashing  chan struct{} // places
	changed  chan struct{} // sessions were opened or ended

	mu     sync.Mutex // guards guards
	guards map[string]*guard
}

// guard is a plugin with its settings.
type guard struct {
	*Settings
	name string
	ctx  context.Context // of streams: ends with the settings
	end  context.CancelFunc
}

// New makes a gate without guards: nobody passes. now tells the time; nil is that of the machine.
func New(log *zap.Logger, now func() time.Time) *Gate {
	if now == nil {
		now = time.Now
	}
	return &Gate{log: log, now: now, sessions: sessions{bySum: map[string]*session{}}, lockout: lockout{fails: map[string]*failing{}},
		audit: audit{log: log}, hashing: make(chan struct{}, hashes), changed: make(chan struct{}, 1), guards: map[string]*guard{}}
}

// Keep has sessions and audit log outlast this process, in a folder. What is there is read.
func (g *Gate) Keep(folder *os.Root) error {
	return errors.Join(g.sessions.load(folder, g.now().Add(-maxAge)), g.audit.keep(folder))
}

// Run writes sessions until ctx ends, and once more then.
func (g *Gate) Run(ctx context.Context) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	failing := false
	for ended := false; !ended; {
		select {
		case <-tick.C:
		case <-g.changed:
		case <-ctx.Done():
			ended = true
		}
		err := g.sessions.save()
		if err != nil && !failing {
			g.log.Error("sessions do not outlast control", zap.Error(err))
		}
		failing = err != nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, x := range g.guards {
		x.end()
	}
}

// SetGuards says which plugins there are. Streams of one whose settings changed end: who has them may not be allowed to any more.
func (g *Gate) SetGuards(all map[string]*Settings) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, x := range g.guards {
		if s := all[name]; s == nil || s.digest != x.digest {
			x.end()
			delete(g.guards, name)
		}
	}
	for name, s := range all {
		if g.guards[name] == nil {
			x := &guard{Settings: s, name: name}
			x.ctx, x.end = context.WithCancel(context.Background())
			g.guards[name] = x
		}
	}
}

// Way is how a request came: by which plugin, from which address, below which prefix, over TLS or not. A worker says so.
type Way struct {
	Plugin, Addr, Prefix string
	Secure               bool

	guard   *guard
	session string // its token; empty without one
	expires time.Time
}

type wayKey struct{}

// WithWay notes a way.
func WithWay(ctx context.Context, way *Way) context.Context {
	return context.WithValue(ctx, wayKey{}, way)
}

func wayOf(ctx context.Context) *Way {
	way, _ := ctx.Value(wayKey{}).(*Way)
	return way
}

// Identify says who sent a request that came by a plugin: Anyone where nobody has logged in. An error is for tokens that are not valid.
func (g *Gate) Identify(r *http.Request, way *Way) (api.Who, error) {
	g.mu.Lock()
	way.guard = g.guards[way.Plugin]
	g.mu.Unlock()
	who := api.Who{Addr: way.Addr}
	if way.guard == nil {
		return who, &api.Error{Status: http.StatusServiceUnavailable, Message: "control does not know this plugin yet", Retry: 1}
	}
	now := g.now()
	if shown, bearer := bearerOf(r.Header); bearer {
		return g.byToken(r, who, way, shown, now)
	}
	for _, token := range sessionTokens(r) {
		u, expires, ok := g.sessions.find(way.Plugin, token, way.guard.Settings, now)
		if !ok {
			continue
		}
		way.session, way.expires = token, expires
		who.User, who.How, who.Role = u.Name, "session", u.role
		return who, checkCSRF(r, token)
	}
	return who, nil
}

// byToken judges a token. One that is wrong counts as a failed login.
func (g *Gate) byToken(r *http.Request, who api.Who, way *Way, shown string, now time.Time) (api.Who, error) {
	if err := g.locked(way, now); err != nil {
		return who, err
	}
	token, ok := credential.Token{}, false
	if credential.ValidToken(shown) {
		token, ok = way.guard.token(shown, now)
	}
	if !ok {
		g.failed(r, way, Entry{At: now, How: "token", What: "show a token"})
		return who, api.Errorf(http.StatusUnauthorized, "the token is not valid")
	}
	way.expires = token.Expires
	who.User, who.How, who.Role = token.Name, "token", api.Reader
	if token.Write {
		who.Role = api.Writer
	}
	return who, nil
}

// locked is an error where an address failed too often.
func (g *Gate) locked(way *Way, now time.Time) error {
	left := g.lockout.left(way.Addr, now)
	if left <= 0 {
		return nil
	}
	return &api.Error{Status: http.StatusForbidden, Message: "too many failures from this address", Retry: int(left/time.Second) + 1}
}

// failed counts a failed login. The first of an address and the last are told, in between nobody learns anything.
func (g *Gate) failed(r *http.Request, way *Way, e Entry) {
	count, locked := g.lockout.failed(way.Addr, way.guard.fails, e.At)
	if count > 1 && !locked {
		return
	}
	if _, known := way.guard.users[e.User]; !known {
		e.User = "" // a password may have been typed into the wrong field
	}
	e.Addr, e.Method, e.Path, e.Result = way.Addr, r.Method, r.URL.Path, "refused"
	if locked {
		e.Result = fmt.Sprintf("refused, locked out for %s", lockTime)
	}
	g.audit.stranger(e)
}

// Stream bounds a context of a stream: it ends when who asked may not ask any more. release is called when the stream is over.
func (g *Gate) Stream(ctx context.Context) (bound context.Context, release func()) {
	way := wayOf(ctx)
	if way == nil || way.guard == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(way.guard.ctx, cancel)
	late := func() {}
	if !way.expires.IsZero() {
		timer := time.AfterFunc(way.expires.Sub(g.now()), cancel)
		late = func() { timer.Stop() }
	}
	detach := func() {}
	if way.session != "" {
		detach = g.sessions.attach(way.session, cancel, g.now)
	}
	return ctx, func() { detach(); late(); stop(); cancel() }
}

// bearerOf is the token of an Authorization field. Fields of other schemes are for somebody else.
func bearerOf(h http.Header) (token string, ok bool) {
	for _, value := range h.Values("Authorization") {
		if len(value) >= 7 && strings.EqualFold(value[:7], "Bearer ") {
			return strings.TrimLeft(value[7:], " "), true
		}
	}
	return "", false
}

// sessionTokens are what may be tokens of sessions in the cookies of a request.
func sessionTokens(r *http.Request) []string {
	var all []string
	for _, c := range r.CookiesNamed(cookieName) {
		if _, ok := sumOf(c.Value); ok && len(all) < maxCookies {
			all = append(all, c.Value)
		}
	}
	return all
}

// checkCSRF wants the proof that a write comes from a page that could read what a login answers.
func checkCSRF(r *http.Request, token string) error {
	if !api.Unsafe(r.Method) || r.URL.Path == "/api/login" {
		return nil
	}
	if !hmac.Equal([]byte(r.Header.Get(csrfField)), []byte(csrfOf(token))) {
		return api.Errorf(http.StatusForbidden, "the field %s is missing or wrong: reload the page", csrfField)
	}
	return nil
}
