package worker

import (
	"maps"
	"slices"

	"go.uber.org/zap"

	"pingap/arena"
	"pingap/config"
	"pingap/worker/tally"
)

// count has a server count for its metrics, and for those who look at what is going on, who must not stand in the way of a change.
func (w *work) count(s *server) error {
	s.Locations = s.plain
	if w.still || !w.basic.Counts(s.cfg, w.tables[config.KindServer], w.tables[config.KindLocation], w.tables[config.KindUpstream]) {
		return nil
	}
	err := w.countAll(s)
	if err == nil {
		return nil
	}
	s.Counts, s.Locations = nil, s.plain
	if s.cfg.PrometheusMetrics != "" {
		return err
	}
	w.log.Debug("a server is not counted", zap.String("server", s.Name), zap.Error(err))
	return nil
}

// countAll gives a server locations of its own, which count: others have the same without, or count for themselves.
func (w *work) countAll(s *server) error {
	upstreams := slices.Collect(maps.Keys(w.Upstreams))
	if last := w.live.servers[s.Name]; last != nil && last.Counts.Serves(upstreams) && maps.Equal(last.plain, s.plain) {
		s.Counts, s.Locations = last.Counts, last.Locations
		return nil
	}
	var err error
	if s.Counts, err = tally.NewServer(w.arena, s.Name, upstreams); err != nil {
		return err
	}
	s.Locations = make(locations, len(s.plain))
	for compiled, l := range s.plain {
		own, upstream := *l, ""
		if l.Upstream != nil {
			upstream = l.Upstream.Name
		}
		if own.Counts, err = s.Counts.Location(w.arena, s.Name, compiled.Name, upstream); err != nil {
			return err
		}
		s.Locations[compiled] = &own
		w.pace.Step()
	}
	return nil
}

// tell brings what the worker has counted by itself into the totals.
func (w *worker) tell() {
	traced := w.build.traces.Counts()
	copies := w.proxy.Mirrored()
	w.totals.Count(w.arena, tally.Figures{LogDropped: w.logs.lost(), Traced: traced.Exported, Untraced: traced.Dropped,
		Mirrored: copies.Sent, Unanswered: copies.Failed, Unsent: copies.Dropped})
}

// openConnections is the count of open connections to an upstream. A new upstream of the name goes on with it while the connections of the old one end. Where
// there is no room for it there is no figure, and nothing else is amiss.
func (w *work) openConnections(name string) *arena.Counter {
	if w.still {
		return nil
	}
	c, err := tally.OpenConnections(w.arena, name)
	if err != nil {
		w.log.Debug("connections are not counted", zap.String("upstream", name), zap.Error(err))
		return nil
	}
	return c
}
