package uarestriction

import (
	"errors"
	"regexp"

	"pingap/message"
	"pingap/plugins"
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "ua_restriction",
		Summary:  "Lets requests pass, or refuses them, by their User-Agent.",
		Steps:    []plugins.Step{plugins.Request},
		Plain:    true,
		Params: append([]plugins.Param{
			{Name: "ua_list", Type: plugins.Strings, Help: "Regular expressions; one that matches anywhere in the User-Agent finds it. Empty finds none: allow then refuses every request."},
		}, plugins.RestrictionParams("user agents")...),
		New: build,
	}
}

// restriction is an instance.
type restriction struct {
	list    []*regexp.Regexp
	refusal *plugins.Restriction
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	r := &restriction{}
	var problems []error
	for i, text := range p.Strings("ua_list") {
		compiled, err := regexp.Compile(text)
		if err == nil && text == "" {
			err = errors.New("expected a regular expression, found nothing; . finds every User-Agent")
		}
		if err != nil {
			problems = append(problems, plugins.EntryErrorf("ua_list", i, "%v", err))
			continue
		}
		r.list = append(r.list, compiled)
	}
	var refusalErr error
	r.refusal, refusalErr = plugins.NewRestriction(p, "user agent")
	if err := errors.Join(append(problems, refusalErr)...); err != nil {
		return nil, err
	}
	return r, nil
}

// Decide looks for the client in the list. A request without User-Agent is not found.
func (r *restriction) Decide(e *plugins.Exchange) plugins.Decision {
	return r.refusal.DecideByField(e, message.UserAgent, r)
}

// Lists implements plugins.Lister.
func (r *restriction) Lists(agent []byte) bool {
	for _, each := range r.list {
		if each.Match(agent) {
			return true
		}
	}
	return false
}
