package recent

import (
	"cmp"
	"fmt"
	"slices"

	"pingap/arena/tally"
	"pingap/config"
)

// names are what of a configuration has figures.
type names struct {
	total     []tally.Key
	locations map[string][]tally.Key
	upstreams map[string][]tally.Key
}

// namesOf reads a configuration. A location may be one of several servers: what is said of it is of all of them.
func namesOf(s *config.Snapshot) (*names, error) {
	n := &names{locations: map[string][]tally.Key{}, upstreams: map[string][]tally.Key{}}
	var servers []*config.Server
	for _, o := range s.Objects() {
		switch o.Kind {
		case config.KindUpstream:
			n.upstreams[o.Name] = nil
		case config.KindLocation:
			n.locations[o.Name] = nil
		case config.KindServer:
			server, err := s.Server(o.Name)
			if err != nil {
				return nil, fmt.Errorf("live figures: %w", err)
			}
			servers = append(servers, server)
		}
	}
	for _, server := range servers {
		n.addServer(server)
	}
	return n, nil
}

func (n *names) addServer(server *config.Server) {
	n.total = append(n.total, tally.Key{Kind: tally.LocationBlock, Server: server.Name})
	for _, name := range server.Locations {
		k := tally.Key{Kind: tally.LocationBlock, Server: server.Name, Name: name}
		if !slices.Contains(n.locations[name], k) {
			n.locations[name] = append(n.locations[name], k)
		}
	}
	for name, keys := range n.upstreams {
		n.upstreams[name] = append(keys, tally.Key{Kind: tally.UpstreamBlock, Server: server.Name, Name: name})
	}
}

// objectsOf makes objects of names, taking over those of before that are about the same.
func objectsOf(kind tally.Kind, list map[string][]tally.Key, before []*object) []*object {
	old := map[string]*object{}
	for _, o := range before {
		old[o.name] = o
	}
	var all []*object
	for name, keys := range list {
		o := old[name]
		if o == nil {
			o = &object{kind: kind, name: name}
		}
		o.become(keys)
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *object) int { return cmp.Compare(a.name, b.name) })
	return all
}

// become says where its totals are. With others than before, the next sample is the first.
func (o *object) become(keys []tally.Key) {
	if o.seen && slices.Equal(o.keys, keys) {
		return
	}
	o.keys, o.seen, o.gauges = keys, false, gaugesOf(o.kind, keys, o.name)
}

// gaugesOf are the names of the counters that say what is under way.
func gaugesOf(kind tally.Kind, keys []tally.Key, name string) []string {
	if kind == tally.UpstreamBlock { // of all servers
		return []string{tally.Gauges()[tally.UpstreamConnections].Of(tally.Key{Kind: kind, Name: name})}
	}
	var all []string
	for _, k := range keys {
		all = append(all, tally.Gauges()[tally.RequestsCurrent].Of(k))
	}
	return all
}
