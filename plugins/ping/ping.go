package ping

import "pingap/plugins"

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "ping",
		Summary:  "Answers one path with 200 and the body pong.",
		Steps:    []plugins.Step{plugins.Request},
		Plain:    true,
		Params: []plugins.Param{
			{Name: "path", Type: plugins.String, Required: true, Help: "Path that is answered; compared whole, without the query."},
		},
		New: build,
	}
}

// ping is an instance.
type ping struct {
	path   string
	answer *plugins.Answer // shared by all requests
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	path, err := p.Path("path")
	if err != nil {
		return nil, err
	}
	// No Content-Type: that is what monitors of the original have seen.
	return &ping{path: path, answer: &plugins.Answer{Status: 200, Body: []byte("pong")}}, nil
}

// Decide answers the path and lets everything else go on.
func (p *ping) Decide(e *plugins.Exchange) plugins.Decision {
	if string(e.Request.NormalPath()) != p.path {
		return plugins.Continue
	}
	return plugins.Respond(p.answer, "ping")
}
