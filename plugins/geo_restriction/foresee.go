package georestriction

import "pingap/plugins"

// Foresee decides as Decide does, and notes no sighting.
func (r *restriction) Foresee(e *plugins.Exchange) plugins.Foresight {
	if r.sights != nil {
		return plugins.Foresight{Why: "it only reports countries"}
	}
	return plugins.Foresight{Decision: r.Decide(e)}
}
