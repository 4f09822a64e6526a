package proxy

import (
	"net/netip"
	"strings"
	"testing"

	"pingap/config"
	"pingap/message"
	"pingap/plugins"
	"pingap/worker/http2/server"
)

// obedient is a plugin that does as it is told.
type obedient struct {
	decide func(*plugins.Exchange) plugins.Decision
	asked  int
}

func (s *obedient) Decide(e *plugins.Exchange) plugins.Decision {
	s.asked++
	return s.decide(e)
}

// instanceOf builds an instance of a plugin of a test; plain ones are asked by explain.
func instanceOf(t testing.TB, name string, plain bool, p plugins.Plugin) *plugins.Instance {
	t.Helper()
	r := plugins.NewRegistry([]plugins.Factory{{Category: "scripted", Summary: "For tests.", Steps: []plugins.Step{plugins.Request}, Plain: plain,
		New: func(*plugins.Parameters) (plugins.Plugin, error) { return p, nil }}}, nil)
	i, err := r.Build(&config.Plugin{Name: name, Category: "scripted"})
	must(t, err)
	return i
}

func rehearse(r *rig, head string) *Rehearsal {
	h := &Rehearsal{Head: []byte(head), MaxTried: 10, Conn: message.Conn{Remote: netip.MustParseAddrPort("192.0.2.9:1"), RemoteText: []byte("192.0.2.9")}}
	r.p.Rehearse(r.p.Site(), r.server, h)
	return h
}

func TestARehearsalFindsWhatARequestWouldMeetAndServesNothing(t *testing.T) {
	silent := newBackend(t, func(*scripted) { t.Error("the backend was asked") }).addr()
	changes := &obedient{decide: func(e *plugins.Exchange) plugins.Decision {
		e.Request.Fields.Set("X-By-Plugin", []byte("yes"))
		return plugins.Continue
	}}
	effect := &obedient{decide: func(*plugins.Exchange) plugins.Decision { t.Error("it was asked in earnest"); return plugins.Continue }}
	broken := &obedient{decide: func(*plugins.Exchange) plugins.Decision { panic("broken") }}
	watched := instanceOf(t, "watched", true, &obedient{decide: func(*plugins.Exchange) plugins.Decision { return plugins.Respond(plugins.Text(403, ""), "never") }})
	watched.Shadow = true
	r := newRig(t, rigOptions{addrs: []string{silent}, location: config.Location{Path: "/api", Rewrite: "^/api/(.*) /$1", MaxProcessing: 5,
		ProxySetHeaders: []string{"X-Client:$remote_addr"}},
		plugins: plugins.NewChain([]*plugins.Instance{instanceOf(t, "changes", true, changes), instanceOf(t, "effect", false, effect),
			instanceOf(t, "broken", true, broken), watched})})
	h := rehearse(r, "GET /api/x?y=1 HTTP/1.1\r\nHost: a\r\n\r\n")
	if h.Location != r.location || h.Upstream != r.up || h.Look.Chosen != silent || h.Status != 0 {
		t.Fatalf("%+v", h)
	}
	if got := string(h.Record.Request.Target); got != "/x?y=1" || h.Target != "/api/x?y=1" {
		t.Errorf("from %s to %s", h.Target, got)
	}
	var said []string
	for _, d := range message.Differences(h.Before, h.Sent) {
		said = append(said, d.Op+" "+d.Name+" "+d.Value)
	}
	if got := strings.Join(said, "; "); got != "set X-By-Plugin yes; set X-Client 192.0.2.9" {
		t.Error(got)
	}
	if len(h.Plugins) != 4 || h.Plugins[0].Changed != "set X-By-Plugin" || !h.Plugins[1].Unknown || !h.Plugins[2].Unknown || h.Plugins[3].Status != 403 {
		t.Errorf("%+v", h.Plugins)
	}
	if s := r.p.Stats(); s.Requests != 0 || s.InFlight != 0 || r.server.Processing.Load() != 0 || len(r.log.lines) != 0 || r.up.Backends()[0].InFlight() != 0 {
		t.Errorf("it left something behind: %+v", s)
	}
}

func TestARehearsalEndsWithTheFirstAnswer(t *testing.T) {
	after := &obedient{decide: func(*plugins.Exchange) plugins.Decision { return plugins.Continue }}
	refuses := &obedient{decide: func(*plugins.Exchange) plugins.Decision { return plugins.Respond(plugins.Text(403, ""), "not you") }}
	r := newRig(t, rigOptions{plugins: plugins.NewChain([]*plugins.Instance{instanceOf(t, "refuses", true, refuses), instanceOf(t, "after", true, after)}),
		location: config.Location{Path: "/here", ClientMaxBodySize: 10}})
	for _, c := range []struct {
		head   string
		status int
		why    string
	}{
		{"GET /here HTTP/1.1\r\nHost: a\r\n\r\n", 403, "not you"},
		{"GET /there HTTP/1.1\r\nHost: a\r\n\r\n", 404, "no matching location"},
		{"POST /here HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", 413, "Request Entity Too Large, max:10"},
		{"GET /here HTTP/1.1\r\n\r\n", 400, ""},
		{"GET /here", 400, ""},
		{"GET /he re HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""},
	} {
		h := rehearse(r, c.head)
		if h.Status != c.status || c.why != "" && h.Why != c.why {
			t.Errorf("%q: %d %s", c.head, h.Status, h.Why)
		}
	}
	if after.asked != 0 {
		t.Error("one behind the answer was asked")
	}
}

func TestARehearsalOfAStreamIsToldWhatAStreamIs(t *testing.T) {
	says := &obedient{decide: func(e *plugins.Exchange) plugins.Decision {
		switch string(e.Request.Path) {
		case "/fine":
			return plugins.Respond(plugins.Text(200, "fine"), "")
		case "/no":
			return plugins.Respond(plugins.Text(403, ""), "not you")
		}
		return plugins.Continue
	}}
	silent := newBackend(t, func(*scripted) { t.Error("the backend was asked") }).addr()
	r := newRig(t, rigOptions{addrs: []string{silent}, plugins: plugins.NewChain([]*plugins.Instance{instanceOf(t, "says", true, says)})})
	r.server.HTTP2 = server.NewEngine(server.Options{})
	for _, c := range []struct {
		fields    string // besides :scheme and :authority
		status    int
		malformed string
		call      string
		tunnel    bool
	}{
		{":method GET;:path /fine", 200, "", "", false},
		{":method CONNECT;:protocol websocket;:path /fine", 502, "", "", false}, // no tunnel, which 200 would be for the client
		{":method CONNECT;:protocol websocket;:path /no", 403, "", "", false},
		{":method CONNECT;:protocol websocket;:path /up", 0, "", "", true},
		{":method CONNECT;:protocol connect-udp;:path /up", 501, "", "", false},
		{":method POST;:path /no;content-type application/grpc", 403, "", "gRPC", false},
		{":method POST;:path /up;content-type application/grpc", 0, "", "gRPC", false},
		{":method POST;:path /up;upgrade h2c", 0, "field of the connection", "", false},
		{":method GET;:path /%00", 400, "", "", false},
	} {
		h := &Rehearsal{List: &message.Fields{}, MaxTried: 1}
		h.List.Add(":scheme", []byte("http"))
		h.List.Add(":authority", []byte("a"))
		for text := range strings.SplitSeq(c.fields, ";") {
			name, value, _ := strings.Cut(text, " ")
			h.List.Add(name, []byte(value))
		}
		r.p.Rehearse(r.p.Site(), r.server, h)
		if h.Status != c.status || h.Malformed != c.malformed || h.Call != c.call || h.Tunnel != c.tunnel || h.Answered != (c.status != 0) {
			t.Errorf("%s: %d %q, malformed %q, call %q, tunnel %v", c.fields, h.Status, h.Why, h.Malformed, h.Call, h.Tunnel)
		}
	}
	if s := r.p.Stats(); s.Requests != 0 || s.InFlight != 0 {
		t.Errorf("it left something behind: %+v", s)
	}
}

func TestARehearsalTakesNoSlot(t *testing.T) {
	taken := &fakeSlots{}
	r := newRig(t, rigOptions{bind: func(l *Location) { l.MaxProcessing, l.Slots = 1, taken }})
	if h := rehearse(r, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); h.Status != 503 || taken.acquired != 0 {
		t.Errorf("%d, %d taken", h.Status, taken.acquired)
	}
	taken.now = 1
	if h := rehearse(r, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); h.Status != 429 || taken.acquired != 0 {
		t.Errorf("%d, %d taken", h.Status, taken.acquired)
	}
}

type fakeSlots struct{ now, acquired int64 }

func (f *fakeSlots) Acquire(int64) bool { f.acquired++; return true }
func (f *fakeSlots) Release()           {}
func (f *fakeSlots) Load() int64        { return f.now }
