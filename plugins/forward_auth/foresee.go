package forwardauth

import "pingap/plugins"

// Foresee does not ask the service, which might count or log it. It takes out what clients may not set, as Decide does.
func (f *forwardAuth) Foresee(e *plugins.Exchange) plugins.Foresight {
	for _, name := range f.add {
		plugins.Disown(&e.Request.Fields, name)
	}
	return plugins.Unknown("it asks the service at " + f.url.Host)
}
