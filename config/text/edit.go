package text

import (
	"cmp"
	"slices"
	"strings"

	"pingap/config/internal/places"
)

// Document is a text that is being edited. All changes refer to the text as it was; String makes them.
type Document struct {
	text       string
	statements []places.Statement
	tables     map[string][]int // statements by the first two parts of their paths
	edits      []edit
}

// edit puts a text in place of some bytes.
type edit struct {
	from, to int
	text     string
	block    bool // a table by itself, with empty lines around it
}

// Parse reads a document. That it is TOML is for others to know.
func Parse(text string) (*Document, error) {
	list, err := places.Statements(text)
	if err != nil {
		return nil, err
	}
	d := &Document{text: text, statements: list, tables: map[string][]int{}}
	for i := range list {
		if key, ok := tableOf(list[i].Path); ok {
			d.tables[key] = append(d.tables[key], i)
		}
	}
	return d, nil
}

// tableOf is what statements of one table have in common: basic has no name.
func tableOf(path []string) (string, bool) {
	switch {
	case len(path) == 0:
		return "", false
	case path[0] == "basic":
		return "basic", true
	case len(path) < 2:
		return "", false
	}
	return path[0] + "\x1f" + path[1], true
}

// Has reports whether some statement belongs to a table: ("upstreams", "a") or ("basic").
func (d *Document) Has(table ...string) bool { return len(d.of(table)) > 0 }

func (d *Document) of(table []string) []int {
	key, _ := tableOf(table)
	return d.tables[key]
}

// Table is the text of a table: all its statements, each run of them as it stands.
func (d *Document) Table(table ...string) string {
	var b strings.Builder
	for _, r := range d.runs(d.of(table)) {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(d.text[r[0]:r[1]])
		if !strings.HasSuffix(b.String(), "\n") {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// runs joins statements that stand next to each other, with what is between them.
func (d *Document) runs(indexes []int) [][2]int {
	var runs [][2]int
	last := -2
	for _, i := range indexes {
		st := &d.statements[i]
		if i == last+1 {
			runs[len(runs)-1][1] = st.To
		} else {
			runs = append(runs, [2]int{st.From, st.To})
		}
		last = i
	}
	return runs
}

// Remove takes a table out.
func (d *Document) Remove(table ...string) { d.Replace("", table...) }

// Replace puts a text in place of a table: where its first statement stands, or behind the last table of its kind, or at the end.
func (d *Document) Replace(block string, table ...string) {
	of := d.of(table)
	own := len(of) > 0 && d.statements[of[0]].Header // else it has no place that a table with a header could take
	for i, r := range d.runs(of) {
		e := edit{from: r[0], to: r[1], block: true}
		if i == 0 && own {
			e.text = block
		}
		d.edits = append(d.edits, e)
	}
	if !own && block != "" {
		at := d.behind(table[0])
		d.edits = append(d.edits, edit{from: at, to: at, text: block, block: true})
	}
}

// behind is where a new table of a kind begins.
func (d *Document) behind(kind string) int {
	for i := len(d.statements) - 1; i >= 0; i-- {
		if st := &d.statements[i]; len(st.Path) > 1 && st.Path[0] == kind {
			return st.To
		}
	}
	return len(d.text)
}

// Set gives a key of a table a value, and reports false where that cannot be done in place.
func (d *Document) Set(key, quoted, value string, table ...string) bool {
	of := d.statementsOf(key, table)
	switch {
	case len(of) == 1 && !of[0].Header && len(of[0].Path) == len(table)+1 && of[0].Value.To > 0:
		d.edits = append(d.edits, edit{from: of[0].Value.From, to: of[0].Value.To, text: value})
		return true
	case len(of) > 0:
		return false
	}
	at, ok := d.room(table)
	if !ok {
		return false
	}
	line := quoted + " = " + value + "\n"
	if at > 0 && d.text[at-1] != '\n' {
		line = "\n" + line
	}
	d.edits = append(d.edits, edit{from: at, to: at, text: line})
	return true
}

// room is where a table with a header of its own takes another key: behind the last that stands below that header.
func (d *Document) room(table []string) (int, bool) {
	at, found := 0, false
	for _, i := range d.of(table) {
		st := &d.statements[i]
		switch {
		case st.Header && len(st.Path) == len(table):
			at, found = st.To, true
		case st.Header && found:
			return at, true // a table in it
		case found:
			at = st.To
		}
	}
	return at, found
}

// Unset takes a key out of a table, with all that is in it.
func (d *Document) Unset(key string, table ...string) {
	for _, st := range d.statementsOf(key, table) {
		d.edits = append(d.edits, edit{from: st.From, to: st.To})
	}
}

// statementsOf are those of one key of a table.
func (d *Document) statementsOf(key string, table []string) []*places.Statement {
	var list []*places.Statement
	for _, i := range d.of(table) {
		if st := &d.statements[i]; len(st.Path) > len(table) && st.Path[len(table)] == key {
			list = append(list, st)
		}
	}
	return list
}

// String is the text with all changes made.
func (d *Document) String() string {
	edits := slices.Clone(d.edits)
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	var b builder
	at := 0
	for _, e := range edits {
		b.add(d.text[at:max(at, e.from)])
		if e.block {
			b.block(e.text)
		} else {
			b.add(e.text)
		}
		at = max(at, e.to)
	}
	b.add(d.text[at:])
	if b.lines { // a table was the last
		if text := strings.TrimRight(b.String(), "\r\n"); text != "" {
			return text + "\n"
		}
		return ""
	}
	return b.String()
}

// builder joins texts; around tables it keeps one empty line.
type builder struct {
	strings.Builder
	lines    bool // what comes next loses the empty lines that it begins with
	separate bool // and gets one, unless it is nothing
}

func (b *builder) add(text string) {
	if b.lines {
		trimmed := strings.TrimLeft(text, "\r\n")
		if trimmed == "" {
			return
		}
		if text = trimmed; b.separate {
			text = "\n" + text
		}
		b.lines, b.separate = false, false
	}
	b.WriteString(text)
}

// block adds a table; an empty one only takes the empty lines behind it away.
func (b *builder) block(text string) {
	if text != "" {
		b.lines = false
		switch sofar := b.String(); {
		case sofar == "" || strings.HasSuffix(sofar, "\n\n"):
		case strings.HasSuffix(sofar, "\n"):
			b.WriteString("\n")
		default:
			b.WriteString("\n\n")
		}
		b.WriteString(strings.TrimRight(text, "\r\n") + "\n")
	}
	sofar := b.String()
	b.lines, b.separate = true, sofar != "" && !strings.HasSuffix(sofar, "\n\n")
}
