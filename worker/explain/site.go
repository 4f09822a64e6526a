package explain

import (
	"fmt"
	"net/http"

	"pingap/worker/proxy"
)

// Limits of a question and of what is answered.
const (
	maxHeaders   = 200
	maxServers   = 8 // that are explained for one URL
	maxLocations = 200
	maxBackends  = 256
	maxRoutes    = 20_000
)

// Site is what questions are asked of. It does not change.
type Site struct {
	*proxy.Site
	Proxy     *proxy.Proxy
	Listeners []Listener
	// Certificate names the table whose certificate a client that asks for a name is shown; empty for none.
	Certificate func(name string) string
	// Hidden are the headers whose values are not shown, in any case.
	Hidden []string
	// Offline tells that nothing serves, so that nobody knows how backends are.
	Offline bool
}

// Listener is an address, and the server that it leads to: an index of Site.Servers.
type Listener struct {
	Address string
	Server  int
}

// Mistake is what is wrong with a question.
type Mistake struct {
	Status int // of HTTP
	Text   string
}

func (m *Mistake) Error() string { return m.Text }

func mistake(status int, format string, args ...any) *Mistake {
	return &Mistake{status, fmt.Sprintf(format, args...)}
}

// Explain follows a request through the server that its URL leads to. The error is a *Mistake.
func (s *Site) Explain(q *Question) (*Explanation, error) {
	asked, err := q.parse()
	if err != nil {
		return nil, err
	}
	found, notes, err := s.choose(q, asked)
	if err != nil {
		return nil, err
	}
	var all []*Explanation
	for _, l := range found {
		e, err := s.explain(asked, l)
		if err != nil {
			return nil, err
		}
		e.Notes = append(e.Notes, notes...)
		all = append(all, e)
	}
	all[0].Also = all[1:]
	return all[0], nil
}

// Routes lists the locations of a server. The error is a *Mistake.
func (s *Site) Routes(name string) (*Routes, error) {
	var server *proxy.Server
	for _, l := range s.Listeners {
		if one := s.server(l); one != nil && one.Name == name {
			server = one
		}
	}
	if server == nil {
		return nil, mistake(http.StatusNotFound, "there is no server %q", name)
	}
	r := &Routes{Server: name, Locations: []Route{}}
	ranked := server.Table.Ranked()
	if r.More = max(len(ranked)-maxRoutes, 0); r.More > 0 {
		ranked = ranked[:maxRoutes]
	}
	for i, l := range ranked {
		bound := server.Locations[l]
		one := Route{Name: l.Name, Order: i + 1, Host: l.Config.Hosts(), Path: l.Config.Path, Kind: l.Kind(), Weight: l.Weight, Upstream: l.Config.Upstream,
			Plugins: []RoutePlugin{}}
		if one.Host == nil {
			one.Host = []string{}
		}
		if bound.Upstream != nil {
			one.Healthy, one.Total = bound.Upstream.Count()
		}
		for _, p := range ordered(bound.Plugins) {
			one.Plugins = append(one.Plugins, RoutePlugin{Name: p.Name, Category: p.Category, Step: p.step})
		}
		r.Locations = append(r.Locations, one)
	}
	return r, nil
}

// server is the one that a listener leads to; nil for none.
func (s *Site) server(l Listener) *proxy.Server {
	if l.Server < 0 || l.Server >= len(s.Servers) {
		return nil
	}
	return s.Servers[l.Server]
}
