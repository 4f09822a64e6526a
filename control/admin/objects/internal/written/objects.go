package written

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"pingap/config"
	"pingap/config/text"
	"pingap/control/admin/objects/internal/schema"
	"pingap/control/source"
)

// Objects are all of a configuration.
type Objects struct {
	All      []*Object // by kind and name
	Problems []config.Problem

	hider *hider
	items []source.Item
	docs  []source.Document // of the items
	found map[id]*Object
	texts map[string]*text.Document // of documents, by their names; made when they are asked for
}

// Object is one of them.
type Object struct {
	config.Written
	Uses   []string // upstream:a
	UsedBy []string
}

type id struct {
	kind config.Kind
	name string
}

// Mistake is one of a wish.
type Mistake struct {
	Kind    config.Kind
	Name    string
	Key     string
	Message string
}

// Reader reads configurations. It does not change.
type Reader struct{ hider *hider }

// NewReader makes one.
func NewReader(s *schema.Schema) *Reader { return &Reader{newHider(s)} }

// Read reads documents and the items that they are of.
func (r *Reader) Read(items []source.Item, docs []source.Document) *Objects {
	o := &Objects{hider: r.hider, items: items, docs: docs, found: map[id]*Object{}, texts: map[string]*text.Document{}}
	tables, report := config.ReadTables(documents(docs))
	o.Problems = report.Errors
	for i := range tables {
		object := &Object{Written: tables[i]}
		o.All = append(o.All, object)
		o.found[id{object.Kind, object.Name}] = object
	}
	for _, object := range o.All {
		o.refer(object)
	}
	return o
}

func documents(docs []source.Document) []config.Document {
	all := make([]config.Document, len(docs))
	for i, d := range docs {
		all[i] = config.Document{Name: d.Path, Data: d.Data}
	}
	return all
}

// Find finds an object; nil for none. Of basic the name does not matter.
func (o *Objects) Find(kind config.Kind, name string) *Object {
	if kind == config.KindBasic {
		name = ""
	}
	return o.found[id{kind, name}]
}

// refer notes whom an object names.
func (o *Objects) refer(object *Object) {
	for _, l := range leaves(object.Table, nil, nil) {
		kind, ok := o.refers(object, l.path)
		if !ok || l.text == "" || strings.HasPrefix(l.text, "$") {
			continue
		}
		to := o.found[id{kind, l.text}]
		if to == nil {
			continue // a built-in, or a mistake
		}
		object.Uses = appendNew(object.Uses, to.Object())
		to.UsedBy = appendNew(to.UsedBy, object.Object())
	}
}

func appendNew(list []string, text string) []string {
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

// refers is the kind of object that a text names.
func (o *Objects) refers(object *Object, path []string) (config.Kind, bool) {
	keys := o.hider.keys(&object.Written)
	refers := ""
	for _, part := range keysOf(path) {
		key := schema.Find(keys, part)
		if key == nil {
			return 0, false
		}
		refers, keys = key.Refers, key.Keys
	}
	if refers == "" {
		return 0, false
	}
	return config.ParseKind(refers)
}

// keys are those that a table may have beside those of every plugin.
func (h *hider) keys(w *config.Written) []schema.Key {
	if w.Kind == config.KindPlugin {
		category, _ := w.Table["category"].(string)
		if p := h.schema.Plugin(category); p != nil {
			return p.Keys
		}
		return nil
	}
	return h.schema.Categories[w.Kind].Keys
}

// Value is the object as people may see it.
func (o *Objects) Value(object *Object) map[string]any {
	value, _ := clone(object.Table).(map[string]any)
	for _, l := range leaves(object.Table, nil, nil) {
		if shown := o.hider.shown(&object.Written, l); shown != l.text {
			put(value, l.path, shown)
		}
	}
	return value
}

// Text is the text of the object as people may see it.
func (o *Objects) Text(object *Object) string {
	shown, ok := o.hider.document(o.Raw(object), []*config.Written{&object.Written}, o.hider.shown)
	if !ok {
		w := object.Written
		w.Table = o.Value(object)
		return w.Text(o.hider.tables[w.Kind])
	}
	return shown
}

// Raw is the text of the object, with its secrets, as it stands; one that has no text of its own is written anew.
func (o *Objects) Raw(object *Object) string {
	if d := o.text(object.File); d != nil {
		if own := d.Table(object.Path()...); alone(own, object) {
			return own
		}
	}
	return object.Written.Text(o.hider.tables[object.Kind])
}

// alone says whether a text by itself is the object.
func alone(own string, object *Object) bool {
	tables, report := config.ReadTables([]config.Document{{Data: []byte(own)}})
	return len(report.Errors) == 0 && len(tables) == 1 && tables[0].Kind == object.Kind && tables[0].Name == object.Name &&
		same(tables[0].Table, object.Table)
}

// text is a document to be edited; nil where it cannot be read.
func (o *Objects) text(name string) *text.Document {
	if d, ok := o.texts[name]; ok {
		return d
	}
	var parsed *text.Document
	for _, doc := range o.docs {
		if doc.Path == name {
			parsed, _ = text.Parse(string(doc.Data)) // what nests too deep is no configuration
		}
	}
	o.texts[name] = parsed
	return parsed
}

// Document is a document as people may see it: what is in its comments and values, without secrets. Of one that is not TOML nothing is shown.
func (o *Objects) Document(name string, data []byte) string {
	if len(data) == 0 {
		return ""
	}
	tables, report := config.ReadTables([]config.Document{{Name: name, Data: data}})
	const nothing = "# what is here is not TOML\n"
	if len(report.Errors) > 0 {
		return nothing
	}
	all := make([]*config.Written, len(tables))
	for i := range tables {
		all[i] = &tables[i]
	}
	shown, ok := o.hider.document(string(data), all, o.hider.shown)
	if !ok {
		return nothing
	}
	return shown
}

// Short is a few words about an object.
func (o *Objects) Short(object *Object) string {
	word := func(key string) string {
		switch v := o.Value(object)[key].(type) {
		case string:
			return v
		case []any:
			var all []string
			for _, item := range v {
				if text, ok := item.(string); ok {
					all = append(all, text)
				}
			}
			return strings.Join(all, ", ")
		}
		return ""
	}
	var words []string
	switch object.Kind {
	case config.KindServer:
		words = []string{word("addr")}
	case config.KindLocation:
		words = []string{word("host"), word("path")}
		if up := word("upstream"); up != "" {
			words = append(words, "→ "+up)
		}
	case config.KindUpstream:
		words = []string{word("addrs")}
	case config.KindPlugin, config.KindStorage:
		words = []string{word("category")}
	case config.KindCertificate:
		words = []string{word("domains"), word("acme")}
	}
	short := strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
	const most = 200
	if len(short) > most {
		short = strings.ToValidUTF8(short[:most], "") + "…"
	}
	return short
}

// base is the name of a document for people: that of its item.
func (o *Objects) base(name string) string {
	for i, d := range o.docs {
		if d.Path == name && i < len(o.items) {
			return o.items[i].Key
		}
	}
	return filepath.Base(name)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// clone copies lists and maps.
func clone(v any) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = clone(v[i])
		}
		return list
	case map[string]any:
		table := make(map[string]any, len(v))
		for key := range v {
			table[key] = clone(v[key])
		}
		return table
	}
	return v
}

// StillUsed lists who names an object once wishes are fulfilled.
func (o *Objects) StillUsed(kind config.Kind, name string, wishes []Wish) []string {
	after := map[id]*Wish{}
	for i := range wishes {
		after[id{wishes[i].Kind, wishes[i].Name}] = &wishes[i]
	}
	var users []string
	check := func(object *Object) {
		for _, l := range leaves(object.Table, nil, nil) {
			if to, ok := o.refers(object, l.path); ok && to == kind && l.text == name {
				users = appendNew(users, object.Object())
			}
		}
	}
	for _, object := range o.All {
		if after[id{object.Kind, object.Name}] == nil {
			check(object)
		}
	}
	for i := range wishes {
		w := config.Written{Kind: wishes[i].Kind, Name: wishes[i].Name, Table: wishes[i].Table}
		if wishes[i].Text != "" {
			if tables, _ := config.ReadTables([]config.Document{{Data: []byte(wishes[i].Text)}}); len(tables) == 1 {
				w.Table = tables[0].Table
			}
		}
		check(&Object{Written: w})
	}
	return users
}
