package mock

import (
	"errors"
	"time"

	"pingap/plugins"
)

// maxDelay bounds how long a request may be held: it occupies a connection for that time.
const maxDelay = time.Minute

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "mock",
		Summary:  "Answers with a fixed response.",
		Steps:    []plugins.Step{plugins.Request, plugins.ProxyUpstream},
		Plain:    true,
		Params: []plugins.Param{
			{Name: "path", Type: plugins.String, Help: "Path that is answered; compared whole, without the query. Empty answers every path."},
			{Name: "status", Type: plugins.Int, Max: 599, Default: int64(200), Help: "Status of the answer, from 200 on; 0 is 200."},
			{Name: "headers", Type: plugins.Strings, Help: "Fields of the answer, \"name: value\". A name may occur several times."},
			{Name: "data", Type: plugins.String, Help: "Body of the answer."},
			{Name: "delay", Type: plugins.Duration, Help: "Time to wait before the answer, at most 1m."},
		},
		New: build,
	}
}

// mock is an instance.
type mock struct {
	path   string // empty for all
	delay  time.Duration
	answer *plugins.Answer // shared by all requests
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	path, pathErr := p.Path("path")
	answer, answerErr := buildAnswer(p)
	m := &mock{path: path, delay: p.Duration("delay"), answer: answer}
	var delayErr error
	if m.delay > maxDelay {
		delayErr = plugins.Errorf("delay", "expected at most %s, found %s", maxDelay, m.delay)
	}
	if err := errors.Join(pathErr, answerErr, delayErr); err != nil {
		return nil, err
	}
	return m, nil
}

func buildAnswer(p *plugins.Parameters) (*plugins.Answer, error) {
	a := &plugins.Answer{Status: int(p.Int("status")), Body: []byte(p.String("data"))}
	var problems []error
	if a.Status == 0 {
		a.Status = 200
	}
	if a.Status < 200 { // what follows a 1xx is another head, not a body
		problems = append(problems, plugins.Errorf("status", "expected 200 to 599, found %d", a.Status))
	}
	if (a.Status == 204 || a.Status == 304) && len(a.Body) > 0 {
		problems = append(problems, plugins.Errorf("data", "an answer with status %d has no body", a.Status))
	}
	for i, text := range p.Strings("headers") {
		name, value, err := plugins.ParseField(text)
		if err != nil {
			problems = append(problems, plugins.EntryErrorf("headers", i, "%v", err))
			continue
		}
		a.AddField(name, value)
	}
	return a, errors.Join(problems...)
}

// Decide answers, after the delay if there is one. Waiting holds nothing but the request itself.
func (m *mock) Decide(e *plugins.Exchange) plugins.Decision {
	if m.path != "" && string(e.Request.NormalPath()) != m.path {
		return plugins.Continue
	}
	if m.delay > 0 && !e.Shadow {
		time.Sleep(m.delay)
	}
	return plugins.Respond(m.answer, "mock")
}
