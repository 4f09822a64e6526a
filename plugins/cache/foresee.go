package cache

import "pingap/plugins"

// Foresee looks into the store, and changes nothing there: Decide does not, with Exchange.Shadow.
func (c *cached) Foresee(e *plugins.Exchange) plugins.Foresight {
	if c.cache == nil {
		return plugins.Unknown("what is stored is known to a running worker only")
	}
	f := plugins.Foresight{Decision: c.Decide(e)}
	if f.Answer == nil {
		f.Why = "nothing that is stored answers it"
	}
	return f
}
