package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// A key of the configuration is described once, by the tags of its struct field:
//
//	toml      name of the key; "-" is not a key
//	help      one sentence for the reference and the panel
//	class     what a change of it needs: same, hot, listeners or roll
//	default   value when the key is absent, as written in TOML (texts without quotes)
//	range     least..most, either may be missing; checked on what the file says
//	enum      words allowed, separated by |
//	unit      of a plain number
//	required  "true" refuses a table without the key
//	later     the feature that is not built yet: accepted, warned about once
//	noeffect  why the key has no effect: accepted, warned about once
//	file      the text may be the path of what is meant: certificate, key, pem or der (files.go)
//	old       "true" for keys Pingap removed: accepted silently

// Key describes one key of a table.
type Key struct {
	Name     string
	Type     string // "string", "integer", "boolean", "duration", "size", "list", "secret"
	Default  string // as written in TOML, without quotes; empty is the zero value
	Range    string
	Enum     []string
	Unit     string
	Help     string
	Class    Class
	Required bool
	Later    string
	NoEffect string
	Old      bool
	File     string // form of what the text, or a file that it names, holds; empty for an ordinary key

	field      int // index in the struct
	classified bool
	def        any // nil, string, int64 or bool
	min, max   *int64
}

// Table describes the keys of one kind of table.
type Table struct {
	Name string // "basic", "servers", ...
	Help string
	Keys []Key

	typ    reflect.Type
	byName map[string]int
}

func (t *Table) key(name string) *Key {
	if t == nil {
		return nil // of a load that only tells tables apart
	}
	if i, ok := t.byName[name]; ok {
		return &t.Keys[i]
	}
	return nil
}

// Tables lists every table with its keys, in the order of the reference. The value is
// fresh: callers may keep it.
func Tables() []Table {
	return []Table{
		newTable("basic", "What holds for all processes. There is one such table, the others exist once per name.", Basic{}),
		newTable("servers", "Addresses to listen on, and the locations behind them.", Server{}),
		newTable("locations", "Which requests are taken, and what happens to them.", Location{}),
		newTable("upstreams", "Sets of backends, and how they are reached.", Upstream{}),
		newTable("plugins", "Plugins that locations name. Every other key is a parameter of the plugin.", Plugin{}),
		newTable("certificates", "Certificates of servers with global_certificates.", Certificate{}),
		newTable("storages", "Named texts that servers, locations and upstreams include.", Storage{}),
	}
}

// schema is Tables by kind, with what a load or a snapshot looks up often.
type schema [kinds]*Table

func newSchema() *schema {
	var s schema
	tables := Tables()
	for i := range tables {
		s[i] = &tables[i]
	}
	return &s
}

func newTable(name, help string, zero any) Table {
	t := Table{Name: name, Help: help, typ: reflect.TypeOf(zero), byName: map[string]int{}}
	for i := range t.typ.NumField() {
		f := t.typ.Field(i)
		keyName := f.Tag.Get("toml")
		if keyName == "-" {
			continue
		}
		t.byName[keyName] = len(t.Keys)
		t.Keys = append(t.Keys, newKey(keyName, f, i))
	}
	return t
}

// newKey panics on a tag that contradicts its field: such a tag never passes a test.
func newKey(name string, f reflect.StructField, index int) Key {
	tag := f.Tag
	k := Key{
		Name: name, Type: typeName(f.Type), Default: tag.Get("default"), Range: tag.Get("range"),
		Unit: tag.Get("unit"), Help: tag.Get("help"), Required: tag.Get("required") == "true",
		Later: tag.Get("later"), NoEffect: tag.Get("noeffect"), Old: tag.Get("old") == "true", File: tag.Get("file"), field: index,
	}
	k.Class, k.classified = parseClass(tag.Get("class"))
	if words := tag.Get("enum"); words != "" {
		k.Enum = strings.Split(words, "|")
	}
	var err error
	if k.Range != "" {
		low, high, _ := strings.Cut(k.Range, "..")
		if k.min, err = k.bound(low); err == nil {
			k.max, err = k.bound(high)
		}
	}
	if err == nil && k.Default != "" {
		k.def, err = k.parseText(k.Default)
	}
	if err != nil {
		panic(fmt.Sprintf("config: tags of %s: %v", name, err))
	}
	return k
}

func (k *Key) bound(text string) (*int64, error) {
	if text == "" {
		return nil, nil
	}
	v, err := k.parseText(text)
	if err != nil {
		return nil, err
	}
	n, ok := v.(int64)
	if !ok {
		return nil, fmt.Errorf("bound %q of a %s", text, k.Type)
	}
	return &n, nil
}

// parseText reads a value written in a tag.
func (k *Key) parseText(text string) (any, error) {
	switch k.Type {
	case "integer":
		return strconv.ParseInt(text, 10, 64)
	case "duration":
		d, err := ParseDuration(text)
		return int64(d), err
	case "size":
		n, err := ParseSize(text)
		return int64(n), err
	case "share":
		n, err := ParseShare(text)
		return int64(n), err
	case "boolean":
		return strconv.ParseBool(text)
	case "string":
		return text, nil
	}
	return nil, fmt.Errorf("a %s has no text form", k.Type)
}

func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Duration]():
		return "duration"
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[Secret]():
		return "secret"
	case reflect.TypeFor[Share]():
		return "share"
	case reflect.TypeFor[[]string]():
		return "list"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Int:
		return "integer"
	case reflect.Bool:
		return "boolean"
	}
	panic("config: no key may have the type " + t.String())
}

// setDefaults fills the defaults into a zero struct of the table's type.
func (t *Table) setDefaults(object reflect.Value) {
	for i := range t.Keys {
		k := &t.Keys[i]
		if k.def != nil {
			k.set(object.Field(k.field), k.def)
		}
	}
}

// set stores a checked value: string, int64, bool or []string.
func (k *Key) set(field reflect.Value, v any) {
	switch v := v.(type) {
	case string:
		field.SetString(v)
	case int64:
		field.SetInt(v)
	case bool:
		field.SetBool(v)
	case []string:
		field.Set(reflect.ValueOf(v))
	}
}

// isDefault says whether the field holds what an absent key gives.
func (k *Key) isDefault(field reflect.Value) bool {
	switch def := k.def.(type) {
	case string:
		return field.String() == def
	case int64:
		return field.Int() == def
	case bool:
		return field.Bool() == def
	}
	return field.IsZero() || field.Kind() == reflect.Slice && field.Len() == 0
}
