package config

import (
	"fmt"
	"reflect"

	"pingap/config/internal/places"
)

// newObject makes an object with its defaults and files it in the configuration.
func (c *Config) newObject(t *Table, kind Kind, name string) reflect.Value {
	var object reflect.Value
	switch kind {
	case KindBasic:
		object = reflect.ValueOf(&c.Basic)
	case KindServer:
		c.Servers[name] = &Server{Name: name}
		object = reflect.ValueOf(c.Servers[name])
	case KindLocation:
		c.Locations[name] = &Location{Name: name}
		object = reflect.ValueOf(c.Locations[name])
	case KindUpstream:
		c.Upstreams[name] = &Upstream{Name: name}
		object = reflect.ValueOf(c.Upstreams[name])
	case KindPlugin:
		c.Plugins[name] = &Plugin{Name: name, Params: map[string]any{}}
		object = reflect.ValueOf(c.Plugins[name])
	case KindCertificate:
		c.Certificates[name] = &Certificate{Name: name}
		object = reflect.ValueOf(c.Certificates[name])
	case KindStorage:
		c.Storages[name] = &Storage{Name: name}
		object = reflect.ValueOf(c.Storages[name])
	}
	t.setDefaults(object.Elem())
	return object.Elem()
}

// newConfig is an empty configuration with the defaults of [basic].
func newConfig(s *schema) *Config {
	c := &Config{
		Servers: map[string]*Server{}, Locations: map[string]*Location{}, Upstreams: map[string]*Upstream{},
		Plugins: map[string]*Plugin{}, Certificates: map[string]*Certificate{}, Storages: map[string]*Storage{},
	}
	c.newObject(s[KindBasic], KindBasic, "")
	return c
}

// decode turns the entries of every kind into objects.
func (l *loader) decode() {
	for kind := KindBasic; kind < kinds; kind++ {
		for _, name := range l.names[kind] {
			l.decodeEntry(l.entries[kind][name])
		}
	}
}

func (l *loader) decodeEntry(e *entry) {
	t := l.schema[e.kind]
	object := l.config.newObject(t, e.kind, e.name)
	for _, name := range sortedKeys(e.table) {
		k := t.key(name)
		if k != nil {
			l.decodeKey(e, k, object)
			continue
		}
		if e.kind == KindPlugin {
			l.config.Plugins[e.name].Params[name] = plain(e.table[name])
			continue
		}
		l.unknown(e.problem("unknown key, it is ignored"+l.suggest(name, t.names()), name))
	}
	for i := range t.Keys {
		if k := &t.Keys[i]; k.Required && e.table[k.Name] == nil {
			l.fail(e.problem(fmt.Sprintf("the key %s is missing: %s", k.Name, k.Help), k.Name))
		}
	}
}

func (l *loader) decodeKey(e *entry, k *Key, object reflect.Value) {
	if k.Old {
		return // whatever its value, it must load silently
	}
	v := l.convert(e, k, e.table[k.Name])
	if v == nil {
		return
	}
	field := object.Field(k.field)
	k.set(field, v)
	switch {
	case k.isDefault(field):
	case k.Later != "":
		l.warnOnce(e, k.Name, fmt.Sprintf("accepted, but not yet in effect: %s", k.Later))
	case k.NoEffect != "":
		l.warnOnce(e, k.Name, fmt.Sprintf("accepted, but without effect: %s", k.NoEffect))
	}
}

// convert reports a value that does not fit and gives nil for it.
func (l *loader) convert(e *entry, k *Key, raw any) any {
	v, wrong := k.convert(raw)
	if wrong == nil {
		return v
	}
	path := []string{k.Name}
	if wrong.element >= 0 {
		path = append(path, places.Element(wrong.element))
	}
	l.fail(e.problem(wrong.message, path...))
	return nil
}

// names are the keys worth suggesting.
func (t *Table) names() []string {
	var names []string
	for i := range t.Keys {
		if !t.Keys[i].Old {
			names = append(names, t.Keys[i].Name)
		}
	}
	return names
}

// plain turns the library's lists of tables into lists, so that parameters have few types.
func plain(v any) any {
	switch v := v.(type) {
	case []map[string]any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = plain(v[key])
		}
	}
	return v
}
