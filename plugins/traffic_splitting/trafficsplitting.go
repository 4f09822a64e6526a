package trafficsplitting

import (
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"regexp"

	"pingap/message"
	"pingap/plugins"
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "traffic_splitting",
		Summary:  "Sends a share of the requests to another upstream.",
		Steps:    []plugins.Step{plugins.Request},
		Params: []plugins.Param{
			{Name: "upstream", Type: plugins.String, Required: true, Upstream: true, Help: "Name of the upstream that gets the share."},
			{Name: "weight", Type: plugins.Int, Unit: "percent", Min: 0, Max: 100, Default: int64(0), Help: "Share of the requests, or of the clients with stickiness. 0 sends nothing there, whatever matcher says."},
			{Name: "stickiness", Type: plugins.Bool, Default: false, Help: "Whether the value of sticky_cookie or sticky_header decides, and not chance. A request without it stays with the location's upstream."},
			{Name: "sticky_cookie", Type: plugins.String, Help: "Name of the cookie that decides. It goes before sticky_header."},
			{Name: "sticky_header", Type: plugins.String, Help: "Name of the request field that decides."},
			{Name: "matcher", Type: plugins.Regex, Help: "With stickiness: values that it matches go to the upstream, others do not, whatever the share. Without it the share of all values does, by their checksum."},
		},
		New: build,
	}
}

// splitting is an instance.
type splitting struct {
	upstream       string
	weight         int
	sticky         bool
	cookie, header string // one of them with sticky
	matcher        *regexp.Regexp
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	s := &splitting{
		upstream: p.String("upstream"), weight: int(p.Int("weight")), sticky: p.Bool("stickiness"),
		cookie: p.String("sticky_cookie"), header: p.String("sticky_header"), matcher: p.Regex("matcher"),
	}
	var problems []error
	if s.sticky && s.cookie == "" && s.header == "" {
		problems = append(problems, plugins.Errorf("stickiness", "needs sticky_cookie or sticky_header"))
	}
	for key, name := range map[string]string{"sticky_cookie": s.cookie, "sticky_header": s.header} {
		if name != "" && !message.ValidToken([]byte(name)) {
			problems = append(problems, plugins.Errorf(key, "expected a name without blanks and signs"))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return s, nil
}

// Decide chooses the upstream of a request. It always lets the request go on.
func (s *splitting) Decide(e *plugins.Exchange) plugins.Decision {
	if s.weight == 0 || !s.chooses(&e.Request.Fields) {
		return plugins.Continue
	}
	e.UpstreamOverride = s.upstream
	return plugins.Decision{Reason: "split"}
}

func (s *splitting) chooses(fields *message.Fields) bool {
	if !s.sticky {
		return rand.IntN(100) < s.weight
	}
	value := s.value(fields)
	switch {
	case len(value) == 0:
		return false
	case s.matcher != nil:
		return s.matcher.Match(value)
	}
	return int(crc32.ChecksumIEEE(value)%100) < s.weight
}

// value returns what decides; empty for none.
func (s *splitting) value(fields *message.Fields) []byte {
	if s.cookie != "" {
		value, _ := fields.CookieValue(s.cookie)
		return value
	}
	value, _ := fields.Lookup(s.header)
	return value
}
