package config

import (
	"reflect"
	"strings"
)

// Op says what happened to an object.
type Op uint8

const (
	Changed Op = iota
	Added
	Removed
)

// Change is what happened to one object.
type Change struct {
	Kind  Kind
	Name  string
	Op    Op
	Class Class       // the highest of its keys'; Listeners for a server added or removed
	Keys  []KeyChange // of a changed object, in the order of the tree
}

// KeyChange is one key that differs. Old and New are as TOML writes them, secrets redacted.
type KeyChange struct {
	Key   string
	Class Class
	Old   string
	New   string
}

// Changes is the difference between two configurations, ordered by kind and name.
type Changes []Change

// Diff compares two configurations object by object. Keys without effect and storages are
// not compared. A nil old is an empty configuration.
func Diff(old, new *Config) Changes {
	s := newSchema()
	if old == nil {
		old = newConfig(s)
	}
	d := &differ{schema: s}
	d.compare(KindBasic, "", &old.Basic, &new.Basic)
	diffAll(d, KindServer, old.Servers, new.Servers)
	diffAll(d, KindLocation, old.Locations, new.Locations)
	diffAll(d, KindUpstream, old.Upstreams, new.Upstreams)
	diffAll(d, KindPlugin, old.Plugins, new.Plugins)
	diffAll(d, KindCertificate, old.Certificates, new.Certificates)
	return d.changes
}

// Class is what applying all changes needs.
func (c Changes) Class() Class {
	class := Same
	for _, change := range c {
		class = max(class, change.Class)
	}
	return class
}

// Kinds are the kinds of object that changes touch, in order.
func (c Changes) Kinds() []Kind {
	var kinds []Kind
	for _, change := range c {
		if len(kinds) == 0 || kinds[len(kinds)-1] != change.Kind {
			kinds = append(kinds, change.Kind)
		}
	}
	return kinds
}

// Needs lists the keys, and servers as a whole, that need at least the class: the reason
// of a refusal.
func (c Changes) Needs(class Class) []string {
	var needs []string
	for _, change := range c {
		if change.Op != Changed && change.Class >= class {
			needs = append(needs, change.path())
		}
		for _, key := range change.Keys {
			if key.Class >= class {
				needs = append(needs, change.path(key.Key))
			}
		}
	}
	return needs
}

func (c *Change) path(key ...string) string {
	e := entry{kind: c.Kind, name: c.Name}
	return dotted(append(e.path(), key...))
}

// Object is the name in messages and the text form, such as location:api.
func (c Change) Object() string {
	if c.Kind == KindBasic {
		return "basic"
	}
	return c.Kind.String() + ":" + strings.Map(printable, c.Name)
}

// Text is the difference for people: one block an object, blank lines between.
func (c Changes) Text() string {
	blocks := make([]string, len(c))
	for i := range c {
		blocks[i] = c[i].text()
	}
	return strings.Join(blocks, "\n")
}

func (c *Change) text() string {
	switch c.Op {
	case Added:
		return "++ [ADDED] " + c.Object() + "\n"
	case Removed:
		return "-- [REMOVED] " + c.Object() + "\n"
	}
	var b strings.Builder
	b.WriteString("[MODIFIED] " + c.Object() + "\n")
	for _, k := range c.Keys {
		if k.Old != "" {
			b.WriteString("- " + k.Key + " = " + k.Old + "\n")
		}
		if k.New != "" {
			b.WriteString("+ " + k.Key + " = " + k.New + "\n")
		}
	}
	return b.String()
}

type differ struct {
	schema  *schema
	changes Changes
}

func diffAll[T any](d *differ, kind Kind, old, new map[string]*T) {
	names := map[string]bool{}
	for name := range old {
		names[name] = true
	}
	for name := range new {
		names[name] = true
	}
	for _, name := range sortedKeys(names) {
		before, after := old[name], new[name]
		switch {
		case before == nil:
			d.changes = append(d.changes, Change{Kind: kind, Name: name, Op: Added, Class: wholeClass(kind)})
		case after == nil:
			d.changes = append(d.changes, Change{Kind: kind, Name: name, Op: Removed, Class: wholeClass(kind)})
		default:
			d.compare(kind, name, before, after)
		}
	}
}

// wholeClass is the class of adding or removing an object.
func wholeClass(kind Kind) Class {
	switch kind {
	case KindServer:
		return Listeners
	case KindLocation, KindUpstream, KindPlugin, KindCertificate:
		return Hot
	}
	return Roll
}

func (d *differ) compare(kind Kind, name string, before, after any) {
	t := d.schema[kind]
	old, new := reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem()
	change := Change{Kind: kind, Name: name}
	for i := range t.Keys {
		k := &t.Keys[i]
		a, b := old.Field(k.field), new.Field(k.field)
		if k.Class == Same {
			continue
		}
		if !equalFields(a, b) {
			change.Keys = append(change.Keys, KeyChange{Key: k.Name, Class: k.Class, Old: k.showIn(before, a), New: k.showIn(after, b)})
		} else if k.File != "" && sumOf(before, k) != sumOf(after, k) {
			shown := k.showIn(after, b)
			change.Keys = append(change.Keys, KeyChange{Key: k.Name, Class: k.Class, Old: shown, New: shown + " (contents changed)"})
		}
	}
	if p, ok := before.(*Plugin); ok {
		change.Keys = append(change.Keys, diffParams(p.Params, after.(*Plugin).Params)...)
	}
	for _, key := range change.Keys {
		change.Class = max(change.Class, key.Class)
	}
	if len(change.Keys) > 0 {
		d.changes = append(d.changes, change)
	}
}

// sumOf is the hash of the file that a key names, zero for none.
func sumOf(object any, k *Key) Sha { return (*filesOf(object))[k.Name].Sum }

func equalFields(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// diffParams compares the parameters of a plugin, all of which are hot.
func diffParams(old, new map[string]any) []KeyChange {
	names := map[string]bool{}
	for name := range old {
		names[name] = true
	}
	for name := range new {
		names[name] = true
	}
	var keys []KeyChange
	for _, name := range sortedKeys(names) {
		before, hadIt := old[name]
		after, hasIt := new[name]
		if hadIt && hasIt && reflect.DeepEqual(before, after) {
			continue
		}
		change := KeyChange{Key: strings.Map(printable, name), Class: Hot}
		if hadIt {
			change.Old = showParam(name, before)
		}
		if hasIt {
			change.New = showParam(name, after)
		}
		keys = append(keys, change)
	}
	return keys
}
