package schema

import (
	"strconv"
	"strings"

	"pingap/config"
)

// Schema is what GET /schema answers.
type Schema struct {
	Categories []Category `json:"categories"`
	Plugins    []Plugin   `json:"plugins"`
}

// Category is a kind of object.
type Category struct {
	Name  string `json:"name"`  // upstream
	Table string `json:"table"` // upstreams
	Help  string `json:"help"`
	Keys  []Key  `json:"keys"`
}

// Plugin is a category of plugins.
type Plugin struct {
	Category string   `json:"category"`
	Summary  string   `json:"summary"`
	Steps    []string `json:"steps"` // the first is the default; empty for one that acts on responses only
	Keys     []Key    `json:"keys"`  // beside category, step and remark
	Example  string   `json:"example"`
}

// Key is one key of a table, or one parameter of a plugin.
type Key struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"` // string, int, bool, duration, size, list, map, enum, table or float
	Unit     string   `json:"unit,omitempty"`
	Default  any      `json:"default,omitempty"` // as it would be written: a string, number, bool or list
	Enum     []string `json:"enum,omitempty"`
	Min      any      `json:"min,omitempty"` // a number, or the text of a duration or size
	Max      any      `json:"max,omitempty"`
	Help     string   `json:"help"`
	Class    string   `json:"class"` // none, hot, listeners or roll
	Secret   bool     `json:"secret"`
	Required bool     `json:"required"`
	Group    string   `json:"group,omitempty"`
	Refers   string   `json:"refers,omitempty"` // the category of objects that it names
	File     string   `json:"file,omitempty"`   // what it, or the file that it names, holds: certificate, key, pem or der
	Format   string   `json:"format,omitempty"` // regex
	Note     string   `json:"note,omitempty"`   // why it has no effect, or not yet
	Keys     []Key    `json:"keys,omitempty"`   // of each table of a list of tables
}

// Of makes the schema of this build.
func Of(plugins []Plugin) *Schema {
	s := &Schema{Plugins: plugins}
	if plugins == nil {
		s.Plugins = []Plugin{}
	}
	for _, t := range config.Tables() {
		kind, _ := config.ParseKind(t.Name)
		c := Category{Name: kind.String(), Table: t.Name, Help: t.Help, Keys: []Key{}}
		for i := range t.Keys {
			if !t.Keys[i].Old {
				c.Keys = append(c.Keys, keyOf(kind, &t.Keys[i]))
			}
		}
		s.Categories = append(s.Categories, c)
	}
	return s
}

// Plugin finds a category of plugins; nil for none.
func (s *Schema) Plugin(category string) *Plugin {
	for i := range s.Plugins {
		if s.Plugins[i].Category == category {
			return &s.Plugins[i]
		}
	}
	return nil
}

// Find finds a key; nil for none.
func Find(keys []Key, name string) *Key {
	for i := range keys {
		if keys[i].Name == name {
			return &keys[i]
		}
	}
	return nil
}

// typeOf is the word of the interface for a type of the tree.
func typeOf(k *config.Key) string {
	switch {
	case len(k.Enum) > 0:
		return "enum"
	case k.Type == "integer":
		return "int"
	case k.Type == "boolean":
		return "bool"
	case k.Type == "secret":
		return "string"
	case k.Type == "share":
		return "float"
	}
	return k.Type
}

func keyOf(kind config.Kind, k *config.Key) Key {
	key := Key{Name: k.Name, Type: typeOf(k), Unit: k.Unit, Enum: k.Enum, Help: k.Help, Class: k.Class.String(), Secret: k.Type == "secret",
		Required: k.Required, Group: group(kind, k.Name), Refers: refers(kind, k.Name), File: k.File}
	if k.Class == config.Same {
		key.Class = "none"
	}
	switch {
	case k.NoEffect != "":
		key.Note = "without effect: " + k.NoEffect
	case k.Later != "":
		key.Note = "not yet in effect: " + k.Later
	}
	if k.Default != "-1" { // which stands for computed
		key.Default = written(k.Type, k.Default)
	}
	low, high, _ := strings.Cut(k.Range, "..")
	key.Min, key.Max = written(k.Type, low), written(k.Type, high)
	return key
}

// written is a value of a tag, as TOML and JSON would write it; nil for none.
func written(typ, text string) any {
	if text == "" {
		return nil
	}
	switch typ {
	case "integer":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case "boolean":
		return text == "true"
	case "share":
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
	}
	return text
}

// refers is the category of objects that a key names.
func refers(kind config.Kind, key string) string {
	switch {
	case key == "includes":
		return config.KindStorage.String()
	case kind == config.KindServer && key == "locations":
		return config.KindLocation.String()
	case kind == config.KindLocation && (key == "upstream" || key == "mirror"):
		return config.KindUpstream.String()
	case kind == config.KindLocation && key == "plugins":
		return config.KindPlugin.String()
	}
	return ""
}

// group is the part of a form that a key stands in, by what its name begins with. Empty is the first part.
func group(kind config.Kind, key string) string {
	for _, g := range groups() {
		for _, prefix := range g.prefixes {
			if (g.kind == kind || g.all) && strings.HasPrefix(key, prefix) {
				return g.name
			}
		}
	}
	return ""
}

type grouping struct {
	kind     config.Kind
	all      bool // for every kind
	name     string
	prefixes []string
}

// groups are looked through in order: the first that fits counts.
func groups() []grouping {
	return []grouping{
		{kind: config.KindServer, name: "tls", prefixes: []string{"tls_", "client_auth", "global_certificates", "enabled_h2"}},
		{kind: config.KindServer, name: "log", prefixes: []string{"access_log"}},
		{kind: config.KindServer, name: "limits", prefixes: []string{"header_", "target_", "keepalive_", "downstream_", "h2_"}},
		{kind: config.KindServer, name: "observe", prefixes: []string{"prometheus_", "otlp_", "enable_server_timing"}},
		{kind: config.KindServer, name: "socket", prefixes: []string{"tcp_", "reuse_port", "proxy_protocol", "threads"}},
		{kind: config.KindLocation, name: "match", prefixes: []string{"host", "path", "match_", "weight"}},
		{kind: config.KindLocation, name: "request", prefixes: []string{"rewrite", "proxy_", "enable_reverse", "grpc_web"}},
		{kind: config.KindLocation, name: "limits", prefixes: []string{"client_max", "max_", "tunnel_", "drain_"}},
		{kind: config.KindLocation, name: "mirror", prefixes: []string{"mirror"}},
		{kind: config.KindUpstream, name: "timeouts", prefixes: []string{"connection_timeout", "total_", "read_", "write_", "idle_"}},
		{kind: config.KindUpstream, name: "discovery", prefixes: []string{"discovery", "update_", "dns_", "ipv4_"}},
		{kind: config.KindUpstream, name: "tls", prefixes: []string{"sni", "verify_", "ca", "client_", "alpn"}},
		{kind: config.KindUpstream, name: "health", prefixes: []string{"health_", "fail_open", "eject_", "slow_", "circuit_", "backend_", "enable_backend"}},
		{kind: config.KindUpstream, name: "retries", prefixes: []string{"retry_", "queue_", "max_requests"}},
		{kind: config.KindUpstream, name: "socket", prefixes: []string{"tcp_", "max_idle", "max_h2", "proxy_protocol"}},
		{kind: config.KindCertificate, name: "acme", prefixes: []string{"acme", "challenge", "dns_", "buffer_"}},
		{kind: config.KindBasic, name: "workers", prefixes: []string{"workers", "threads", "user", "group", "allow_root", "max_connections"}},
		{kind: config.KindBasic, name: "drain", prefixes: []string{"grace_", "graceful_", "drain_", "max_draining", "orphan_"}},
		{kind: config.KindBasic, name: "log", prefixes: []string{"log_", "error_log"}},
		{kind: config.KindBasic, name: "webhook", prefixes: []string{"webhook"}},
		{kind: config.KindBasic, name: "cache", prefixes: []string{"cache_"}},
		{all: true, name: "other", prefixes: []string{"includes", "remark"}},
	}
}
