package config

import (
	"fmt"
	"regexp"
	"slices"

	"pingap/config/adminaddr"
)

// AdminName is the name of the server, the location and the plugin that --admin implies. No table may have it.
const AdminName = "pingap:admin"

// adminWeight puts the location of --admin before all others of a server.
const adminWeight = 65535

// reserve refuses tables that have the name of what --admin implies.
func (l *loader) reserve() {
	for _, kind := range []Kind{KindServer, KindLocation, KindPlugin} {
		if e := l.entries[kind][AdminName]; e != nil {
			l.fail(e.problem(fmt.Sprintf("the name %s is that of what --admin adds", AdminName)))
		}
	}
}

// addAdmin adds what --admin implies: a plugin, a location with it, and a server; or where a server of the configuration listens at the
// address, the location comes before all others of that one.
func (l *loader) addAdmin() {
	if l.opt.Admin == "" {
		return
	}
	a, err := adminaddr.Parse(l.opt.Admin)
	if err != nil {
		l.fail(Problem{Key: "--admin", Message: err.Error()})
		return
	}
	l.config.newObject(l.schema[KindPlugin], KindPlugin, AdminName)
	plugin := l.config.Plugins[AdminName]
	plugin.Category = "admin"
	plugin.Params["authorizations"] = []any{a.Authorization}
	if a.Prefix != "" {
		plugin.Params["path"] = a.Prefix
	}
	if a.MaxAge != "" {
		plugin.Params["max_age"] = a.MaxAge
	}
	if l.opt.PluginChecker != nil {
		for _, found := range l.opt.PluginChecker(plugin.Name, plugin.Category, plugin.Step, plugin.Params) {
			l.fail(Problem{Key: "--admin", Message: found.Key + ": " + found.Message})
		}
	}
	l.config.newObject(l.schema[KindLocation], KindLocation, AdminName)
	location := l.config.Locations[AdminName]
	location.Plugins, location.Weight, location.Tracing = []string{AdminName}, adminWeight, false
	if a.Prefix != "" {
		location.Path = "~^" + regexp.QuoteMeta(a.Prefix) + "(/|$)"
	}
	l.adminServer(a).addLocation(AdminName)
}

func (s *Server) addLocation(name string) { s.Locations = append([]string{name}, s.Locations...) }

// adminServer is the server that listens at the address of --admin, made where there is none.
func (l *loader) adminServer(a adminaddr.Admin) *Server {
	wanted, err := ParseListen(a.Addr)
	if err != nil {
		l.fail(Problem{Key: "--admin", Message: err.Error()})
	}
	for _, name := range sortedKeys(l.config.Servers) {
		s := l.config.Servers[name]
		if slices.ContainsFunc(s.Addresses(), func(b Address) bool { return b.String() == wanted.String() }) {
			return s
		}
	}
	l.config.newObject(l.schema[KindServer], KindServer, AdminName)
	server := l.config.Servers[AdminName]
	server.Addr, server.EnabledH2 = a.Addr, true
	return server
}

// implied says whether an object is what --admin added. It is not written where a configuration is: the command line says it again.
func implied(kind Kind, name string) bool {
	return name == AdminName && (kind == KindServer || kind == KindLocation || kind == KindPlugin)
}
