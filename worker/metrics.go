package worker

import (
	"maps"
	"slices"

	"pingap/worker/tally"
)

// count has a server count for its metrics, if it has any. Its locations are its own then: others have the same without, or count for themselves.
func (w *work) count(s *server) error {
	if s.cfg.PrometheusMetrics == "" {
		s.Locations = s.plain
		return nil
	}
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
