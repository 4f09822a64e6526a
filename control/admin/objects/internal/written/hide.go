package written

import (
	"slices"
	"strconv"
	"strings"

	"pingap/config"
	"pingap/config/text"
	"pingap/control/admin/objects/internal/schema"
)

// hider knows what is secret.
type hider struct {
	schema *schema.Schema
	tables map[config.Kind]*config.Table
}

func newHider(s *schema.Schema) *hider {
	h := &hider{schema: s, tables: map[config.Kind]*config.Table{}}
	for _, t := range config.Tables() {
		kind, _ := config.ParseKind(t.Name)
		h.tables[kind] = &t
	}
	return h
}

// leaf is a text in a table: keys, and elements of lists as "#0".
type leaf struct {
	path []string
	text string
}

// leaves lists all texts of a value, in the order of their paths.
func leaves(v any, path []string, into []leaf) []leaf {
	switch v := v.(type) {
	case string:
		return append(into, leaf{slices.Clone(path), v})
	case []any:
		for i := range v {
			into = leaves(v[i], append(path, "#"+strconv.Itoa(i)), into)
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			into = leaves(v[key], append(path, key), into)
		}
	}
	return into
}

// shown is the form of a text of a table that people may see.
func (h *hider) shown(w *config.Written, l leaf) string {
	text := h.plain(w, l)
	if text == config.HiddenMark {
		return text + numbers(l.path)
	}
	return text
}

// numbers are the places in lists, from 1.
func numbers(path []string) string {
	var all []string
	for _, part := range path {
		if digits, ok := strings.CutPrefix(part, "#"); ok {
			if n, err := strconv.Atoi(digits); err == nil {
				all = append(all, strconv.Itoa(n+1))
			}
		}
	}
	return strings.Join(all, ".")
}

func (h *hider) plain(w *config.Written, l leaf) string {
	table := h.tables[w.Kind]
	switch {
	case w.Kind == config.KindPlugin:
		return h.parameter(w, l)
	case w.Kind == config.KindStorage && l.path[0] == "value" && opens(w):
		return h.storage(l.text)
	}
	return table.Shown(l.path[0], l.text)
}

// parameter is plain for a plugin: what it declares decides.
func (h *hider) parameter(w *config.Written, l leaf) string {
	if own := h.tables[config.KindPlugin]; slices.ContainsFunc(own.Keys, func(k config.Key) bool { return k.Name == l.path[0] }) {
		return own.Shown(l.path[0], l.text)
	}
	category, _ := w.Table["category"].(string)
	var key *schema.Key
	if p := h.schema.Plugin(category); p != nil {
		keys := p.Keys
		for _, part := range l.path {
			if strings.HasPrefix(part, "#") {
				continue
			}
			if key = schema.Find(keys, part); key == nil {
				break
			}
			keys = key.Keys
		}
	}
	switch {
	case key == nil:
		return config.ShownText(strings.Join(keysOf(l.path), "."), l.text)
	case key.Secret && l.text != "":
		return config.HiddenMark
	}
	return config.OpenText(l.text)
}

// keysOf is a path without places in lists.
func keysOf(path []string) []string {
	return slices.DeleteFunc(slices.Clone(path), func(part string) bool { return strings.HasPrefix(part, "#") })
}

// opens says whether the text of a storage may be shown, but for what is secret in it: it is keys of a table, and not encrypted.
func opens(w *config.Written) bool {
	secret, _ := w.Table["secret"].(string)
	return w.Table["category"] == "config" && secret == ""
}

// included is the text of a storage read as keys of a table; nil where it cannot be.
func included(value string) *config.Written {
	tables, report := config.ReadTables([]config.Document{{Data: []byte(includeHeader + value)}})
	if len(report.Errors) > 0 || len(tables) != 1 || tables[0].Kind != config.KindLocation || tables[0].Name != includeName {
		return nil
	}
	return &tables[0]
}

const (
	includeName   = "included"
	includeHeader = "[locations." + includeName + "]\n"
)

// storage is the text of a storage as it may be shown.
func (h *hider) storage(value string) string {
	w := included(value)
	if w == nil {
		return config.HiddenMark
	}
	masked, ok := h.document(includeHeader+value, []*config.Written{w}, h.include)
	if !ok {
		return config.HiddenMark
	}
	return strings.TrimPrefix(masked, includeHeader)
}

// include is shown for keys of a storage: it may be for any kind of table.
func (h *hider) include(_ *config.Written, l leaf) string {
	for _, kind := range []config.Kind{config.KindServer, config.KindLocation, config.KindUpstream} {
		if shown := h.tables[kind].Shown(l.path[0], l.text); shown != l.text {
			if shown == config.HiddenMark {
				shown += numbers(l.path)
			}
			return shown
		}
	}
	return l.text
}

// document is a text as it may be shown. tables are what it holds. It is false where a secret cannot be replaced.
func (h *hider) document(doc string, tables []*config.Written, shown func(*config.Written, leaf) string) (string, bool) {
	spans, err := text.Values(doc)
	if err != nil {
		return "", false
	}
	for _, w := range tables {
		for _, l := range leaves(w.Table, nil, nil) {
			if s := shown(w, l); s != l.text && !spans.Replace(config.ValueText(s), append(w.Path(), l.path...)...) {
				return "", false
			}
		}
	}
	spans.Comments(h.comment)
	return spans.String(), true
}

// comment is a comment as it may be shown: a key that is only commented out may hold a secret too.
func (h *hider) comment(comment string) string {
	left, right, ok := strings.Cut(comment, "=")
	if !ok || strings.TrimSpace(right) == "" {
		return comment
	}
	words := strings.FieldsFunc(left, func(r rune) bool { return strings.ContainsRune("# \t\"'.", r) })
	if len(words) == 0 {
		return comment
	}
	key := words[len(words)-1]
	value := strings.Trim(right, " \t\r\"'")
	for kind := range h.tables {
		if config.ShownText(key, value) == config.HiddenMark || h.tables[kind].Shown(key, value) == config.HiddenMark {
			return left + "= " + config.HiddenMark
		}
	}
	if config.OpenText(value) != value {
		return left + "= " + config.HiddenMark
	}
	return comment
}
