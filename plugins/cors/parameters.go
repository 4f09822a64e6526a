package cors

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"

	"pingap/message"
	"pingap/plugins"
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "cors",
		Summary:  "Lets pages of other origins use the responses.",
		Steps:    []plugins.Step{plugins.Request},
		Plain:    true,
		Params: []plugins.Param{
			{Name: "path", Type: plugins.Regex, Help: "Paths of the location that are shared; it matches anywhere in the path. Empty is all."},
			{Name: "allow_origin", Type: plugins.String, Default: "*", Help: "The origin that may use responses, such as https://www.example.com; * is any, $http_origin repeats the one that asks, $NAME is a variable of the environment."},
			{Name: "allow_methods", Type: plugins.String, Default: "GET, POST, PUT, PATCH, DELETE, OPTIONS", Help: "Comma list of the methods that pages may use."},
			{Name: "allow_headers", Type: plugins.String, Help: "Comma list of the request fields that pages may set; empty is none beyond the usual."},
			{Name: "expose_headers", Type: plugins.String, Help: "Comma list of the response fields that pages may read; empty is none beyond the usual."},
			{Name: "allow_credentials", Type: plugins.Bool, Default: false, Help: "Whether requests may carry cookies and other credentials. Browsers refuse it with the origin *."},
			{Name: "max_age", Type: plugins.Duration, Default: "1h", Help: "How long browsers may keep the answer to their question; 0s leaves it to them."},
		},
		New: build,
	}
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	s := &sharing{path: p.Regex("path")}
	problems := []error{s.readOrigin(p)}
	for _, list := range [...]struct{ key, name string }{
		{"allow_methods", "Access-Control-Allow-Methods"},
		{"allow_headers", "Access-Control-Allow-Headers"},
		{"expose_headers", "Access-Control-Expose-Headers"},
	} {
		text := strings.TrimSpace(p.String(list.key))
		if !tokens([]byte(text)) {
			problems = append(problems, plugins.Errorf(list.key, "expected a comma list of names"))
		}
		if text != "" {
			s.fields = append(s.fields, field{list.name, []byte(text)})
		}
	}
	if p.Bool("allow_credentials") {
		s.fields = append(s.fields, field{fieldCredentials, []byte("true")})
	}
	if seconds := int64(p.Duration("max_age") / time.Second); seconds > 0 {
		s.fields = append(s.fields, field{"Access-Control-Max-Age", strconv.AppendInt(nil, seconds, 10)})
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	s.answer, s.plain = s.buildAnswer(string(s.origin)), s.buildAnswer("")
	return s, nil
}

// readOrigin reads which origin is allowed.
func (s *sharing) readOrigin(p *plugins.Parameters) error {
	const key = "allow_origin"
	text := strings.TrimSpace(p.String(key))
	if strings.EqualFold(text, "$http_origin") {
		s.mirror = true
		return nil
	}
	if name, variable := strings.CutPrefix(text, "$"); variable {
		value, found := p.Env(name)
		if !found {
			return plugins.Errorf(key, "expected *, $http_origin, an origin, or $NAME of a variable that the environment has")
		}
		text = strings.TrimSpace(value)
	}
	if !message.ValidTarget([]byte(text)) || strings.Contains(text, ",") {
		return plugins.Errorf(key, "expected *, $http_origin or one origin such as https://www.example.com")
	}
	s.origin = []byte(text)
	return nil
}

// tokens reports whether a text is a comma list of names; one that is empty is.
func tokens(text []byte) bool {
	for len(text) > 0 {
		var item []byte
		if item, text = next(text); !message.ValidToken(item) {
			return false
		}
	}
	return true
}

// next cuts the first item off a comma list.
func next(list []byte) (item, rest []byte) {
	item, rest, _ = bytes.Cut(list, []byte(","))
	return bytes.Trim(item, " \t"), rest
}
