package explain

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"pingap/message"
	"pingap/plugins"
	"pingap/worker/proxy"
	"pingap/worker/upstream"
)

// explain rehearses a request at one listener.
func (s *Site) explain(a *asked, l Listener) (*Explanation, error) {
	server := s.server(l)
	r := &proxy.Rehearsal{MaxTried: maxLocations, Conn: s.conn(a, l)}
	a.fill(r, server)
	s.Proxy.Rehearse(s.Site, server, r)
	if r.Malformed != "" {
		return nil, mistake(http.StatusBadRequest, "HTTP/2 has no such request: %s", r.Malformed)
	}
	e := &Explanation{Server: server.Name, Listener: l.Address, Version: s.Version, Request: a.request, Client: string(r.Record.ClientIPText),
		Locations: []Location{}, More: r.More, Headers: []Header{}, Plugins: []Plugin{}, Notes: []string{}}
	if e.Request.Call, e.Request.Tunnel = r.Call, r.Tunnel; r.List != nil {
		e.Request.Protocol = ProtocolH2
	}
	if a.secure && s.Certificate != nil {
		e.Cert = s.Certificate(strings.ToLower(a.sni()))
	}
	for _, v := range r.Tried {
		e.Locations = append(e.Locations, Location{Name: v.Location.Name, Weight: v.Location.Weight, Matched: v.Chosen, Why: v.Why})
	}
	if r.Location != nil {
		e.Location = r.Location.Route.Name
	}
	if to := string(r.Record.Request.Target); r.Upstream != nil && !r.Inside && to != r.Target {
		e.Rewrite = &Rewrite{From: r.Target, To: to}
	}
	if r.Upstream != nil && !r.Inside {
		s.addHeaders(e, r)
		e.Upstream = s.upstreamOf(r)
	}
	addPlugins(e, r)
	addAnswer(e, r)
	s.addNotes(e, a, r)
	a.addProtocolNotes(e, r, server)
	return e, nil
}

// conn is the connection that the request would come on.
func (s *Site) conn(a *asked, l Listener) message.Conn {
	c := message.Conn{Remote: netip.AddrPortFrom(a.client, 0), RemoteText: []byte(a.client.String())}
	if addr, err := netip.ParseAddrPort(l.Address); err == nil {
		c.Local = message.EndpointOf(addr)
	} else { // a unix socket, on which nobody has an address
		c.Remote, c.RemoteText = netip.AddrPort{}, []byte("unix:")
	}
	if a.secure {
		c.TLS = &message.TLS{Version: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: a.sni(), Protocol: ProtocolHTTP1}
	}
	return c
}

// hiddenValue stands for a value that is nobody's business.
const hiddenValue = "***"

// addHeaders tells what differs between the request that came and the one that goes. Values that come from the environment, or whose names say
// that they are secret, are not shown.
func (s *Site) addHeaders(e *Explanation, r *proxy.Rehearsal) {
	for _, d := range message.Differences(r.Before, r.Sent) {
		if d.Value != "" && (s.hides(d.Name) || r.Location.Route.HidesHeader(d.Name)) {
			d.Value = hiddenValue
		}
		e.Headers = append(e.Headers, Header(d))
	}
}

func (s *Site) hides(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"authorization", "cookie", "token", "secret", "password", "api-key", "apikey"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return slices.ContainsFunc(s.Hidden, func(h string) bool { return strings.EqualFold(h, name) })
}

// placed is a plugin with the step at which it acts.
type placed struct {
	*plugins.Instance
	step string
	asks bool // it decides about the request
}

// ordered lists the plugins of a location in the order in which they act, each once.
func ordered(c *plugins.Chain) []placed {
	if c == nil {
		return nil
	}
	var all []placed
	add := func(step plugins.Step, asks bool, list ...*plugins.Instance) {
		for _, i := range list {
			if i != nil && !slices.ContainsFunc(all, func(p placed) bool { return p.Instance == i }) {
				all = append(all, placed{i, step.String(), asks})
			}
		}
	}
	add(plugins.EarlyRequest, true, c.Early...)
	add(plugins.Request, true, c.Request...)
	add(plugins.ProxyUpstream, true, c.ProxyUpstream...)
	add(plugins.UpstreamResponse, false, c.UpstreamResponse...)
	add(plugins.UpstreamResponse, false, c.UpstreamBody...)
	add(plugins.UpstreamResponse, false, c.Storer)
	add(plugins.Response, false, c.Response...)
	add(plugins.Response, false, c.Body...)
	return all
}

// addPlugins tells what each plugin of the location says.
func addPlugins(e *Explanation, r *proxy.Rehearsal) {
	if r.Location == nil {
		return
	}
	said := map[*plugins.Instance]*proxy.Foreseen{}
	by := ""
	for i := range r.Plugins {
		f := &r.Plugins[i]
		said[f.Instance] = f
		if f.Answers && !f.Instance.Shadow {
			by = f.Instance.Name
		}
	}
	for _, p := range ordered(r.Location.Plugins) {
		one := Plugin{Name: p.Name, Category: p.Category, Step: p.step}
		switch f := said[p.Instance]; {
		case f != nil:
			one.judge(f)
		case p.asks && by != "":
			one.Verdict, one.Why = Off, by+" answers before"
		case p.asks:
			one.Verdict, one.Why = Off, "the request is answered before"
		case r.Answered:
			one.Verdict, one.Why = Off, "it acts on the response of the upstream, which is not asked"
		default:
			one.Verdict, one.Why = Unknown, "it acts on the response"
		}
		e.Plugins = append(e.Plugins, one)
	}
}

// judge puts into words what a plugin foresees.
func (p *Plugin) judge(f *proxy.Foreseen) {
	p.Why = orElse(f.Why, f.Reason)
	switch {
	case f.Unknown:
		p.Verdict = Unknown
	case f.Answers:
		p.Verdict, p.Status = Answers, f.Status
		if f.Why != "" && f.Reason != "" {
			p.Why = f.Reason + ": " + f.Why
		}
	case f.Changed != "":
		p.Verdict, p.Why = Changes, orElse(f.Why, f.Changed)
	default:
		p.Verdict = Passes
	}
	if f.Instance.Shadow {
		would := p.Verdict
		if p.Status != 0 {
			would += fmt.Sprintf(" %d", p.Status)
		}
		p.Verdict, p.Status, p.Why = Off, 0, strings.TrimSuffix("it is only watched (mode = shadow): "+would+", "+p.Why, ", ")
	}
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// upstreamOf tells which backend is chosen.
func (s *Site) upstreamOf(r *proxy.Rehearsal) *Upstream {
	u := &Upstream{Name: r.Upstream.Name, Algorithm: orElse(r.Upstream.Config.Algo, "round_robin"), Protocol: spokenTo(r), Backends: []Backend{}, Chosen: r.Look.Chosen}
	for _, c := range r.Look.Backends {
		if len(u.Backends) >= maxBackends && !c.Chosen {
			u.More++
			continue
		}
		b := Backend{Addr: c.Addr, Weight: c.Weight, Backup: c.Backup, Chosen: c.Chosen, Why: c.Why, Healthy: c.Health == upstream.Healthy, State: stateOf(c.Admin)}
		if s.Offline {
			b.Healthy, b.State = false, "unknown"
			b.Why += "; if it is healthy"
		}
		u.Backends = append(u.Backends, b)
	}
	return u
}

func stateOf(a upstream.Admin) string {
	switch a {
	case upstream.Drain:
		return "drain"
	case upstream.Down:
		return "down"
	}
	return "up"
}

// addAnswer tells of the answer that is made here, if one is.
func addAnswer(e *Explanation, r *proxy.Rehearsal) {
	switch {
	case r.Answered && r.Status == 0:
		e.Notes = append(e.Notes, "control answers, and only it knows what")
	case r.Answered:
		e.Answer = answerOf(r, r.Status, r.Why)
	case r.Inside:
		e.Answer = &Answer{Status: 200, Why: "the page of metrics, which control makes"}
	case r.Upstream != nil && r.Look.Chosen == "" && !r.Look.Lot:
		why := "no backend of upstream " + r.Upstream.Name + " is available"
		if r.Upstream.Queue != nil {
			why += ", and none becomes so in queue_timeout"
		}
		e.Answer = answerOf(r, 503, why)
	}
}

// answerOf is an answer made here, as the client gets it.
func answerOf(r *proxy.Rehearsal, status int, why string) *Answer {
	a := &Answer{Status: status, Why: why}
	if code, is := r.CallStatus(status); is {
		a.Status, a.GRPC, a.GRPCName = 200, int(code), code.String()
	}
	return a
}

// addNotes tells what else is to be known.
func (s *Site) addNotes(e *Explanation, a *asked, r *proxy.Rehearsal) {
	note := func(format string, args ...any) { e.Notes = append(e.Notes, fmt.Sprintf(format, args...)) }
	if a.assumed {
		note("nobody said who the client is: it is taken to be 127.0.0.1")
	}
	if a.secure && s.Certificate != nil && e.Cert == "" && !s.Offline {
		note("there is no certificate for %s: the TLS handshake fails", a.host)
	}
	for _, p := range e.Plugins {
		if p.Verdict == Unknown && p.Step != plugins.UpstreamResponse.String() && p.Step != plugins.Response.String() {
			note("it is assumed that plugin %s lets the request pass", p.Name)
		}
	}
	if r.Look.Lot {
		note("the backend is drawn by lot")
	}
	if r.Location == nil {
		return
	}
	if m := r.Location.Mirror; m != nil && r.Upstream != nil {
		note("%v %% of the requests are copied to upstream %s", m.Percent, m.Upstream.Name)
	}
	if c := r.Location.Plugins; c != nil && c.Storer != nil && e.Answer != nil && e.Answer.Status >= 500 {
		note("plugin %s may have a stored response in place of the error", c.Storer.Name)
	}
}
