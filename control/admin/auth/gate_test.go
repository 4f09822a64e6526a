package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"pingap/control/admin/api"
)

// clock is a time that stands until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// gate is one with a plugin "p" and how to ask it.
type gate struct {
	t testing.TB
	*Gate
	clock *clock
}

const plainToken = "0123456789abcdefghij"

func params() map[string]any {
	sum := sha256.Sum256([]byte("another-token-of-20-x"))
	return map[string]any{
		"authorizations":      []any{"alice:wonderland"},
		"read_authorizations": []any{"$ENV:READER"},
		"max_age":             "1h", "ip_fail_limit": int64(3),
		"tokens": []any{
			map[string]any{"name": "deploy", "role": "write", "token": plainToken},
			map[string]any{"name": "look", "token": "sha256:" + hex.EncodeToString(sum[:]), "expires": "2026-06-01"},
		},
	}
}

func newGate(t testing.TB) *gate {
	t.Helper()
	c := &clock{at: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	g := &gate{t: t, Gate: New(zap.NewNop(), c.now), clock: c}
	g.settings(params())
	return g
}

func (g *gate) settings(params map[string]any) {
	g.t.Helper()
	s, err := ParseSettings(params, func(name string) string { return map[string]string{"READER": "bob:looks"}[name] })
	if err != nil {
		g.t.Fatal(err)
	}
	g.SetGuards(map[string]*Settings{"p": s})
}

// identify asks by the plugin, from an address. Fields are name and value by turns.
func (g *gate) identify(method, addr string, fields ...string) (api.Who, *Way, error) {
	r := httptest.NewRequest(method, "/api/things", nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	way := &Way{Plugin: "p", Addr: addr, Prefix: "/adm", Secure: true}
	who, err := g.Identify(r, way)
	return who, way, err
}

// login logs in and returns the status, the cookie and what was said.
func (g *gate) login(addr, user, password string) (int, *http.Cookie, Session) {
	g.t.Helper()
	body, _ := json.Marshal(map[string]string{"user": user, "password": password})
	way := &Way{Plugin: "p", Addr: addr, Prefix: "/adm", Secure: true}
	r := httptest.NewRequest("POST", "/api/login", strings.NewReader(string(body)))
	r = r.WithContext(WithWay(r.Context(), way))
	w := httptest.NewRecorder()
	_, err := g.Identify(r, way)
	if err == nil {
		err = g.Gate.login(w, r)
	}
	if err != nil {
		api.WriteError(w, err)
		return w.Code, nil, Session{}
	}
	var s Session
	if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil {
		g.t.Fatal(err)
	}
	return w.Code, w.Result().Cookies()[0], s
}

func status(err error) int {
	if e, ok := err.(*api.Error); ok {
		return e.Status
	}
	return 0
}

func TestALoginGivesASessionWithItsRole(t *testing.T) {
	g := newGate(t)
	for _, c := range []struct {
		user, password string
		status         int
		role           api.Role
	}{
		{"alice", "wonderland", 200, api.Writer}, {"bob", "looks", 200, api.Reader},
		{"alice", "looks", 401, 0}, {"carol", "wonderland", 401, 0}, {"", "", 401, 0}, {"deploy", plainToken, 403, 0}, // locked out by then
	} {
		code, cookie, s := g.login("10.0.0.1", c.user, c.password)
		if code != c.status {
			t.Errorf("%s: %d", c.user, code)
		}
		if c.status != 200 {
			continue
		}
		if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/adm/" || cookie.MaxAge != 3600 {
			t.Errorf("%s: %+v", c.user, cookie)
		}
		who, _, err := g.identify("GET", "10.0.0.2", "Cookie", "pingap_session="+cookie.Value)
		if err != nil || who.User != c.user || who.Role != c.role || who.How != "session" || who.Addr != "10.0.0.2" || s.Role != c.role.String() {
			t.Errorf("%s: %+v, %v", c.user, who, err)
		}
	}
}

func TestHashedPasswordsAreVerified(t *testing.T) {
	hash, err := HashPassword("wonderland")
	if err != nil {
		t.Fatal(err)
	}
	g := newGate(t)
	g.settings(map[string]any{"authorizations": []any{"alice:" + hash}})
	for _, c := range []struct {
		user, password string
		status         int
	}{{"alice", "wonderland", 200}, {"alice", "wonder", 401}, {"alice", hash, 401}, {"nobody", "wonderland", 401}} {
		if code, _, _ := g.login("10.0.0.1", c.user, c.password); code != c.status {
			t.Errorf("%s with %q: %d", c.user, c.password, code)
		}
	}
}

func TestNoMoreThanTwoPasswordsAreHashedAtOnce(t *testing.T) {
	g := newGate(t)
	for range hashes {
		g.hashing <- struct{}{}
	}
	hash, _ := HashPassword("x")
	g.settings(map[string]any{"authorizations": []any{"alice:" + hash}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, right, err := g.rightPassword(ctx, g.guards["p"].Settings, "alice", "x"); err == nil || right {
		t.Errorf("hashed all the same: %v %v", right, err)
	}
}

func TestWritesWithASessionNeedItsProof(t *testing.T) {
	g := newGate(t)
	_, cookie, s := g.login("10.0.0.1", "alice", "wonderland")
	_, other, o := g.login("10.0.0.1", "alice", "wonderland")
	field := "pingap_session=" + cookie.Value
	for _, c := range []struct {
		name, method, proof string
		status              int
	}{
		{"none", "POST", "", 403}, {"a wrong one", "POST", strings.Repeat("0", len(s.CSRF)), 403}, {"that of another session", "POST", o.CSRF, 403},
		{"the token itself", "DELETE", cookie.Value, 403}, {"its own", "POST", s.CSRF, 0}, {"none for a read", "GET", "", 0},
	} {
		who, _, err := g.identify(c.method, "10.0.0.1", "Cookie", field, "X-CSRF-Token", c.proof)
		if status(err) != c.status || who.User != "alice" {
			t.Errorf("%s: %+v %v", c.name, who, err)
		}
	}
	if _, _, err := g.identify("POST", "10.0.0.1", "Cookie", "pingap_session=x; pingap_session="+other.Value, "X-CSRF-Token", o.CSRF); err != nil {
		t.Errorf("with a cookie of another path: %v", err)
	}
}

func TestSessionsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(g *gate, token string)
		ended bool
	}{
		"not by themselves":            {func(g *gate, _ string) { g.clock.pass(14 * time.Minute) }, false},
		"when unused":                  {func(g *gate, _ string) { g.clock.pass(15 * time.Minute) }, true},
		"by logging out":               {func(g *gate, token string) { g.sessions.end(token) }, true},
		"with the password":            {func(g *gate, _ string) { p := params(); p["authorizations"] = []any{"alice:other"}; g.settings(p) }, true},
		"with the user":                {func(g *gate, _ string) { p := params(); p["authorizations"] = []any{"dave:x"}; g.settings(p) }, true},
		"not by a change of others":    {func(g *gate, _ string) { p := params(); p["read_authorizations"] = []any{"eve:x"}; g.settings(p) }, false},
		"after their time, used on":    {func(g *gate, token string) { g.use(token, 7) }, true},
		"not before, if they are used": {func(g *gate, token string) { g.use(token, 5) }, false},
	} {
		g := newGate(t)
		_, cookie, _ := g.login("10.0.0.1", "alice", "wonderland")
		c.do(g, cookie.Value)
		who, _, _ := g.identify("GET", "10.0.0.1", "Cookie", "pingap_session="+cookie.Value)
		if (who.User == "") != c.ended {
			t.Errorf("%s: %+v", name, who)
		}
	}
}

// use uses a session so many times, ten minutes apart.
func (g *gate) use(token string, n int) {
	for range n {
		g.clock.pass(10 * time.Minute)
		g.identify("GET", "10.0.0.1", "Cookie", "pingap_session="+token)
	}
}

func TestASessionIsForItsPlugin(t *testing.T) {
	g := newGate(t)
	s, _ := ParseSettings(params(), func(string) string { return "x:y" })
	g.SetGuards(map[string]*Settings{"p": g.guards["p"].Settings, "q": s})
	_, cookie, _ := g.login("10.0.0.1", "alice", "wonderland")
	r := httptest.NewRequest("GET", "/api/x", nil)
	r.AddCookie(cookie)
	if who, err := g.Identify(r, &Way{Plugin: "q"}); err != nil || who.User != "" {
		t.Errorf("%+v %v", who, err)
	}
	if _, err := g.Identify(r, &Way{Plugin: "unknown"}); status(err) != 503 {
		t.Errorf("an unknown plugin: %v", err)
	}
}

func TestTokensHaveARoleAndAnEnd(t *testing.T) {
	g := newGate(t)
	for _, c := range []struct {
		name, field string
		status      int
		role        api.Role
	}{
		{"deploy", "Bearer " + plainToken, 0, api.Writer}, {"look", "bearer another-token-of-20-x", 0, api.Reader},
		{"", "Bearer " + plainToken + "x", 401, 0}, {"", "Bearer ", 401, 0}, {"", "Bearer a b", 401, 0},
	} {
		who, _, err := g.identify("POST", c.field, "Authorization", c.field) // an address each: none is locked out
		if status(err) != c.status || who.User != c.name || who.Role != c.role {
			t.Errorf("%q: %+v %v", c.field, who, err)
		}
	}
	if who, _, err := g.identify("GET", "a", "Authorization", "Basic YWxpY2U6d29uZGVybGFuZA=="); err != nil || who.Role != api.Anyone {
		t.Errorf("another scheme: %+v %v", who, err)
	}
	g.clock.pass(40 * 24 * time.Hour)
	if _, _, err := g.identify("GET", "b", "Authorization", "Bearer another-token-of-20-x"); status(err) != 401 {
		t.Errorf("after its end: %v", err)
	}
}

func TestARefusedTokenIsInTheAuditLogWithWhatWasAsked(t *testing.T) {
	g := newGate(t)
	g.identify("DELETE", "10.0.0.1", "Authorization", "Bearer "+plainToken+"x")
	list := g.audit.last(10)
	if len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	if e := list[0]; e.Method != "DELETE" || e.Path != "/api/things" || e.What != "show a token" || e.Result != "refused" || e.Addr != "10.0.0.1" || e.User != "" {
		t.Errorf("%+v", e)
	}
}

func TestAnAddressThatFailsTooOftenIsLockedOut(t *testing.T) {
	g := newGate(t)
	_, cookie, _ := g.login("10.0.0.1", "alice", "wonderland")
	for n := range 3 {
		if code, _, _ := g.login("10.0.0.1", "alice", "wrong"); code != 401 {
			t.Fatalf("failure %d: %d", n, code)
		}
	}
	if code, _, _ := g.login("10.0.0.1", "alice", "wonderland"); code != 403 {
		t.Errorf("the right password: %d", code)
	}
	if _, _, err := g.identify("GET", "10.0.0.1", "Authorization", "Bearer "+plainToken); status(err) != 403 {
		t.Errorf("a right token: %v", err)
	}
	if who, _, err := g.identify("GET", "10.0.0.1", "Cookie", "pingap_session="+cookie.Value); err != nil || who.User != "alice" {
		t.Errorf("who is in stays in: %+v %v", who, err)
	}
	if code, _, _ := g.login("10.0.0.2", "alice", "wonderland"); code != 200 {
		t.Errorf("another address: %d", code)
	}
	g.clock.pass(lockTime)
	if code, _, _ := g.login("10.0.0.1", "alice", "wonderland"); code != 200 {
		t.Errorf("after its time: %d", code)
	}
}

func TestStreamsEndWithWhoAskedForThem(t *testing.T) {
	for name, end := range map[string]func(g *gate, token string){
		"logged out":   func(g *gate, token string) { g.sessions.end(token) },
		"reconfigured": func(g *gate, _ string) { p := params(); p["ip_fail_limit"] = int64(9); g.settings(p) },
	} {
		g := newGate(t)
		_, cookie, _ := g.login("10.0.0.1", "alice", "wonderland")
		_, way, _ := g.identify("GET", "10.0.0.1", "Cookie", "pingap_session="+cookie.Value)
		ctx, release := g.Stream(WithWay(t.Context(), way))
		g.clock.pass(30 * time.Minute)
		if who, _, _ := g.identify("GET", "10.0.0.1", "Cookie", "pingap_session="+cookie.Value); who.User == "" || ctx.Err() != nil {
			t.Errorf("%s: a session with a stream is used: %+v %v", name, who, ctx.Err())
		}
		end(g, cookie.Value)
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Second):
			t.Errorf("%s: the stream goes on", name)
		}
		release()
	}
}

func TestSessionsAndAuditLogOutlastControl(t *testing.T) {
	dir := t.TempDir()
	open := func() *os.Root {
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { root.Close() })
		return root
	}
	g := newGate(t)
	if err := g.Keep(open()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { g.Run(ctx); close(ended) }() // ends with ctx
	_, cookie, _ := g.login("10.0.0.1", "alice", "wonderland")
	cancel()
	<-ended
	for _, name := range []string{sessionsFile, auditFile} {
		info, err := os.Stat(dir + "/" + name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
		data, _ := os.ReadFile(dir + "/" + name)
		if strings.Contains(string(data), cookie.Value) || strings.Contains(string(data), "wonderland") {
			t.Errorf("%s holds a secret: %s", name, data)
		}
	}
	again := newGate(t)
	if err := again.Keep(open()); err != nil {
		t.Fatal(err)
	}
	if who, _, err := again.identify("GET", "10.0.0.1", "Cookie", "pingap_session="+cookie.Value); err != nil || who.User != "alice" {
		t.Errorf("%+v %v", who, err)
	}
	if list := again.audit.last(10); len(list) != 1 || list[0].What != "log in" || list[0].User != "alice" {
		t.Errorf("%+v", list)
	}
	if err := os.WriteFile(dir+"/"+sessionsFile, []byte("{broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newGate(t).Keep(open()); err == nil {
		t.Error("a broken file is not told")
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add("pingap_session=x", "Bearer "+plainToken)
	f.Add("pingap_session="+strings.Repeat("A", 43), "Basic x")
	f.Add("pingap_session=\"\x00", "bearer\t x")
	g := newGate(f)
	g.settings(map[string]any{"authorizations": []any{"alice:wonderland"}, "ip_fail_limit": int64(1000000)})
	f.Fuzz(func(t *testing.T, cookie, authorization string) {
		who, _, _ := g.identify("POST", "10.0.0.1", "Cookie", cookie, "Authorization", authorization)
		if who.Role != api.Anyone {
			t.Fatalf("%q %q: %+v", cookie, authorization, who)
		}
	})
}
