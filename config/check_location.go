package config

import (
	"fmt"
	"strings"

	"pingap/config/internal/places"
)

func (l *loader) checkLocation(e *entry, loc *Location) {
	for _, host := range loc.Hosts() {
		if err := checkHost(host); err != nil {
			l.fail(e.problem(err.Error(), "host"))
		}
	}
	if err := checkPath(loc.Path); err != nil {
		l.fail(e.problem(err.Error(), "path"))
	}
	l.checkEach(e, "match_headers", loc.MatchHeaders, matchError)
	l.checkEach(e, "match_query", loc.MatchQuery, matchError)
	l.checkEach(e, "match_cookies", loc.MatchCookies, matchError)
	l.checkEach(e, "proxy_set_headers", loc.ProxySetHeaders, setHeaderError)
	l.checkEach(e, "proxy_add_headers", loc.ProxyAddHeaders, addHeaderError)
	l.checkRewrite(e, loc)
	l.checkTarget(e, loc)
}

func (l *loader) checkEach(e *entry, key string, items []string, check func(string) error) {
	for i, item := range items {
		if err := check(item); err != nil {
			l.fail(e.problem(err.Error(), key, places.Element(i)))
		}
	}
}

func matchError(text string) error {
	_, err := ParseMatch(text)
	return err
}

func setHeaderError(text string) error {
	_, _, err := ParseSetHeader(text)
	return err
}

func addHeaderError(text string) error {
	_, _, err := ParseAddHeader(text)
	return err
}

func (l *loader) checkRewrite(e *entry, loc *Location) {
	if loc.Rewrite == "" {
		return
	}
	pattern, _ := ParseRewrite(loc.Rewrite)
	if err := checkRegex(pattern); err != nil {
		l.fail(e.problem(err.Error(), "rewrite"))
		return
	}
	words := strings.Count(loc.Rewrite, " ") + 1
	if words > 2 || words == 1 && !strings.Contains(loc.Rewrite, "$") {
		l.warn(e.problem("expected a regex and a replacement with one blank between; what the regex matches is removed", "rewrite"))
	}
}

// checkTarget judges the names of the upstream and of the plugins.
func (l *loader) checkTarget(e *entry, loc *Location) {
	if !strings.HasPrefix(loc.Upstream, "$") {
		l.checkUpstreamName(e, loc.Upstream, "upstream")
	}
	l.checkUpstreamName(e, loc.Mirror, "mirror")
	if loc.Upstream == "" && len(loc.Plugins) == 0 {
		l.warn(e.problem("the location has neither an upstream nor a plugin, it answers 503"))
	}
	for i, name := range loc.Plugins {
		l.checkPluginName(e, i, name)
	}
}

// checkUpstreamName judges the name of an upstream at a path of an entry; empty is none.
func (l *loader) checkUpstreamName(e *entry, name string, path ...string) {
	if name != "" && l.entries[KindUpstream][name] == nil && !l.broken {
		l.fail(e.problem(fmt.Sprintf("upstream %q is not defined%s", clip(name), l.suggestEntry(name, KindUpstream)), path...))
	}
}

func (l *loader) checkPluginName(e *entry, i int, name string) {
	if l.entries[KindPlugin][name] != nil || l.broken {
		return
	}
	known := Unknown
	switch {
	case name == AdminName:
		if l.opt.Admin == "" {
			l.warn(e.problem(fmt.Sprintf("plugin %q is there with --admin only: requests pass without it", name), "plugins", places.Element(i)))
		}
		return
	case l.opt.KnownPlugin != nil:
		known = l.opt.KnownPlugin(name)
	case strings.HasPrefix(name, "pingap:"):
		known = Available
	}
	switch known {
	case Unknown:
		l.fail(e.problem(fmt.Sprintf("plugin %q is not defined%s", clip(name), l.suggestEntry(name, KindPlugin)), "plugins", places.Element(i)))
	case Later:
		l.warn(e.problem(fmt.Sprintf("plugin %q is accepted, but not yet in effect", clip(name)), "plugins", places.Element(i)))
	}
}
