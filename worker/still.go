package worker

import (
	"context"
	"slices"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/ipc"
	"pingap/plugins"
	"pingap/worker/certs"
	"pingap/worker/endpoints"
	"pingap/worker/explain"
	"pingap/worker/proxy"
	"pingap/worker/trace"
	"pingap/worker/upstream"
)

// Still builds what a worker would serve from a snapshot, to be looked at in a process that serves nothing: it opens no socket and no file for lines, and
// plugins are built as control does to check them. env looks variables of the environment up.
func Still(data []byte, listeners []ipc.Listener, list []plugins.Factory, env func(string) (string, bool)) (*explain.Site, error) {
	snapshot, err := config.OpenSnapshot(data)
	if err != nil {
		return nil, err
	}
	p, err := proxy.New(proxy.Options{Logger: zap.NewNop()})
	if err != nil {
		return nil, err
	}
	live := &certs.Live{}
	b := &builder{
		registry: plugins.NewRegistry(list, env), env: env, endpoints: endpoints.New(nil), log: zap.NewNop(), still: true,
		traces: trace.NewExporters(zap.NewNop(), ""), owners: &owners{uses: map[*shared]int{}},
		security: security{certificates: live, tickets: certs.NewTickets()},
	}
	found := &explain.Site{Proxy: p, Certificate: live.Table, Offline: true}
	names := []string{""} // the place of the heartbeat
	for _, l := range listeners {
		at := slices.Index(names, l.Server)
		if at < 0 {
			at, names = len(names), append(names, l.Server)
		}
		found.Listeners = append(found.Listeners, explain.Listener{Address: l.Address, Server: at})
	}
	s, err := b.build(context.Background(), recipe{snapshot: snapshot, servers: names})
	if err != nil {
		return nil, err
	}
	for _, u := range s.upstreams {
		u.assume()
	}
	live.Use(s.certificates)
	p.SetSite(s.Site)
	found.Site, found.Hidden = s.Site, s.basic.LogRedactHeaders
	return found, nil
}

// assume has the upstream take all that its addrs name for healthy backends, names by their names.
func (b *backends) assume() {
	if d := b.Config.Discovery; d == "docker" || d == "transparent" {
		return // addrs are none
	}
	var list []upstream.Endpoint
	for _, one := range b.Config.Backends() {
		list = append(list, upstream.Endpoint{Address: one.Address, Weight: one.Weight, Backup: one.Backup})
	}
	b.SetEndpoints(list, nil)
}
