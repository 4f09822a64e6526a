package config

import (
	"fmt"
	"strings"

	"pingap/config/internal/places"
)

// check judges the values of the decoded objects and the names they refer to.
func (l *loader) check() {
	l.checkBasic()
	l.checkServers()
	for _, name := range l.names[KindLocation] {
		l.checkLocation(l.entries[KindLocation][name], l.config.Locations[name])
	}
	hosts := map[string]error{}
	for _, name := range l.names[KindUpstream] {
		l.checkUpstream(l.entries[KindUpstream][name], l.config.Upstreams[name], hosts)
	}
	for _, name := range l.names[KindPlugin] {
		l.checkPlugin(l.entries[KindPlugin][name], l.config.Plugins[name])
	}
	served := map[string]string{}
	for _, name := range l.names[KindCertificate] {
		l.checkCertificate(l.entries[KindCertificate][name], l.config.Certificates[name], served)
	}
}

func (l *loader) checkBasic() {
	e := l.entries[KindBasic][""]
	for i, text := range l.config.Basic.TrustedProxies {
		if _, err := ParseNetwork(text); err != nil {
			l.fail(e.problem(err.Error(), "trusted_proxies", places.Element(i)))
		}
	}
	l.checkACMEAddr(e, &l.config.Basic)
	l.checkWebhook(e, &l.config.Basic)
	if level := l.config.Basic.LogLevel; level != "" && !validLevels(level) {
		l.warn(e.problem("expected trace, debug, info, warn, error or off, or a comma list of these and module=level; info is used", "log_level"))
	}
}

func validLevels(text string) bool {
	for _, part := range strings.Split(text, ",") {
		if _, level, ok := strings.Cut(part, "="); ok {
			part = level
		}
		if !contains([]string{"trace", "debug", "info", "warn", "error", "off"}, strings.ToLower(strings.TrimSpace(part))) {
			return false
		}
	}
	return true
}

func (l *loader) checkServers() {
	listeners := map[string]string{} // address -> server
	for _, name := range l.names[KindServer] {
		e, s := l.entries[KindServer][name], l.config.Servers[name]
		if s.Addr != "" || e.table["addr"] == "" {
			l.checkListeners(e, s, listeners)
		}
		l.checkLocationNames(e, s)
		l.checkAccessLog(e, s)
		l.checkExporter(e, s)
		l.checkTLS(e, s)
		l.checkMetrics(e, s)
	}
}

func (l *loader) checkListeners(e *entry, s *Server, listeners map[string]string) {
	for _, text := range strings.Split(s.Addr, ",") {
		a, err := ParseListen(strings.TrimSpace(text))
		if err != nil {
			l.fail(e.problem(err.Error(), "addr"))
			continue
		}
		if other, taken := listeners[a.String()]; taken {
			message := fmt.Sprintf("address %s is in use by server %s already", a, other)
			if other == s.Name {
				message = fmt.Sprintf("address %s is listed twice", a)
			}
			l.fail(e.problem(message, "addr"))
			continue
		}
		if a.Port != 0 || a.Network == "unix" { // port 0 is a fresh port each time
			listeners[a.String()] = s.Name
		}
		if l.opt.Resolve != nil && isName(a.Host) {
			if err := l.opt.Resolve(a.Host); err != nil {
				l.fail(e.problem(fmt.Sprintf("address %s: expected a name that resolves: %v", a, err), "addr"))
			}
		}
	}
}

func (l *loader) checkLocationNames(e *entry, s *Server) {
	none := len(l.entries[KindLocation]) == 0
	for i, name := range s.Locations {
		switch {
		case l.entries[KindLocation][name] != nil || l.broken:
		case none: // Pingap accepts this, so it must load
			l.warn(e.problem(fmt.Sprintf("location %q is not defined, no location is", clip(name)), "locations", places.Element(i)))
		default:
			l.fail(e.problem(fmt.Sprintf("location %q is not defined%s", clip(name), l.suggestEntry(name, KindLocation)), "locations", places.Element(i)))
		}
	}
	if none && !l.broken {
		s.Locations = nil // workers look for what is named
	}
}

func (l *loader) checkAccessLog(e *entry, s *Server) {
	for i, text := range s.AccessLogStatus {
		if _, _, err := ParseStatuses(text); err != nil {
			l.fail(e.problem(err.Error(), "access_log_status", places.Element(i)))
		}
	}
	a, err := ParseAccessLog(s.AccessLog)
	if err != nil {
		l.fail(e.problem(err.Error(), "access_log"))
		return
	}
	if a == nil {
		return
	}
	for _, tag := range a.UnknownTags() {
		l.warn(e.problem(fmt.Sprintf("unknown tag {%s}, it prints nothing", tag), "access_log"))
	}
	if !strings.Contains(a.Format, "{") && !contains(presetFormats(), a.Format) {
		l.warn(e.problem("the format has no {tag}, every line will be the same; expected "+strings.Join(presetFormats(), ", ")+" or text with tags", "access_log"))
	}
}

func (l *loader) checkPlugin(e *entry, p *Plugin) {
	if l.opt.KnownPlugin != nil && l.opt.KnownPlugin(p.Name) != Unknown {
		l.warn(e.problem("the built-in plugin of this name is used in its place"))
	}
	if l.opt.PluginUpstreams != nil {
		for _, r := range l.opt.PluginUpstreams(p.Category, p.Params) {
			l.checkUpstreamName(e, r.Name, parameterPath(r.Key)...)
		}
	}
	if l.opt.PluginChecker == nil || p.Category == "" {
		return
	}
	for _, found := range l.opt.PluginChecker(p.Name, p.Category, p.Step, p.Params) {
		problem := e.problem(found.Message, parameterPath(found.Key)...)
		if found.Warning {
			l.warn(problem)
			continue
		}
		l.fail(problem)
	}
}

// parameterPath reads the key of a finding: "max", "headers[1]" or "limits.ip".
func parameterPath(key string) []string {
	if key == "" {
		return nil
	}
	key = strings.NewReplacer("[", ".#", "]", "").Replace(key)
	return strings.Split(key, ".")
}
