package refererrestriction

import (
	"bytes"
	"errors"
	"strings"

	"pingap/message"
	"pingap/plugins"
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "referer_restriction",
		Summary:  "Lets requests pass, or refuses them, by the host in their Referer.",
		Steps:    []plugins.Step{plugins.Request},
		Plain:    true,
		Params: append([]plugins.Param{
			{Name: "referer_list", Type: plugins.Strings, Help: "Hosts without port: example.com is that host, *.example.com every host that ends in .example.com. Empty holds none: allow then refuses every request."},
		}, plugins.RestrictionParams("hosts")...),
		New: build,
	}
}

// restriction is an instance.
type restriction struct {
	hosts    map[string]struct{}
	suffixes [][]byte
	refusal  *plugins.Restriction
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	r := &restriction{hosts: map[string]struct{}{}}
	var problems []error
	for i, text := range p.Strings("referer_list") {
		host := strings.ToLower(strings.TrimSpace(text))
		suffix, isSuffix := strings.CutPrefix(host, "*")
		if (host == "") || !plain(suffix) || strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
			problems = append(problems, plugins.EntryErrorf("referer_list", i,
				"expected a host such as example.com or *.example.com, without scheme, port and path, names of other scripts in punycode"))
			continue
		}
		if isSuffix {
			r.suffixes = append(r.suffixes, []byte(suffix))
			continue
		}
		r.hosts[strings.TrimSuffix(host, ".")] = struct{}{}
	}
	var refusalErr error
	r.refusal, refusalErr = plugins.NewRestriction(p, "referer")
	if err := errors.Join(append(problems, refusalErr)...); err != nil {
		return nil, err
	}
	return r, nil
}

// Decide looks the referring host up. A request without one is not found.
func (r *restriction) Decide(e *plugins.Exchange) plugins.Decision {
	return r.refusal.DecideByField(e, message.Referer, r)
}

// Lists implements plugins.Lister.
func (r *restriction) Lists(referer []byte) bool {
	var memory [maxHost]byte
	host := appendHost(memory[:0], referer)
	if len(host) == 0 {
		return false
	}
	if _, found := r.hosts[string(host)]; found {
		return true
	}
	for _, suffix := range r.suffixes {
		if bytes.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}
