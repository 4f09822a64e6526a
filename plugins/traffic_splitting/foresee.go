package trafficsplitting

import (
	"fmt"

	"pingap/plugins"
)

// Foresee decides as Decide does where no lot is drawn.
func (s *splitting) Foresee(e *plugins.Exchange) plugins.Foresight {
	if !s.sticky && s.weight > 0 && s.weight < 100 {
		return plugins.Unknown(fmt.Sprintf("a lot is drawn for each request: %d %% go to upstream %s", s.weight, s.upstream))
	}
	f := plugins.Foresight{Decision: s.Decide(e)}
	if e.UpstreamOverride == s.upstream {
		f.Why = "upstream " + s.upstream + " in place of the location's"
	}
	return f
}
