package written

import (
	"bytes"
	"fmt"
	"strings"

	"pingap/config"
	"pingap/config/text"
	"pingap/control/source"
)

// Outcome is how items look once wishes are fulfilled.
type Outcome struct {
	Ops      []source.Op
	Mistakes []Mistake
	Notes    []string // what gets lost
}

// Change fulfils wishes in the documents. layout says where new objects go; single is the name of the only item of a single file.
func (o *Objects) Change(layout source.Layout, single string, wishes []Wish) (Outcome, error) {
	var out Outcome
	all, wrong := o.reveal(wishes)
	if len(wrong) > 0 {
		out.Mistakes = wrong
		return out, nil
	}
	byItem := map[string][]wanted{}
	for _, w := range all {
		key := single
		switch {
		case w.old != nil:
			key = o.base(w.old.File)
		case layout != source.Single:
			var err error
			if key, err = layout.KeyOf(w.Kind.Table(), w.Name); err != nil {
				out.Mistakes = append(out.Mistakes, Mistake{Kind: w.Kind, Name: w.Name, Message: err.Error()})
				continue
			}
		}
		byItem[key] = append(byItem[key], w)
	}
	for _, key := range sortedKeys(byItem) {
		item := o.item(key)
		after, note, err := o.edit(item, byItem[key])
		if err != nil {
			return out, err
		}
		if note != "" {
			out.Notes = append(out.Notes, note)
		}
		op := source.Op{Key: key, Data: after, Rev: item.Rev}
		if layout == source.ByItem && blank(after) {
			op.Data = nil
		}
		if op.Data == nil && item.Rev == "" || op.Data != nil && item.Rev != "" && bytes.Equal(op.Data, item.Data) {
			continue
		}
		out.Ops = append(out.Ops, op)
	}
	return out, nil
}

// blank says whether nothing is left of an item.
func blank(data []byte) bool { return len(bytes.TrimSpace(data)) == 0 }

// item is what a key holds; an item that is not there has no revision.
func (o *Objects) item(key string) source.Item {
	for _, i := range o.items {
		if i.Key == key {
			return i
		}
	}
	return source.Item{Key: key}
}

// edit makes one document hold what is wanted, with as little change as possible.
func (o *Objects) edit(item source.Item, wishes []wanted) (after []byte, note string, err error) {
	want, err := o.tablesAfter(item, wishes)
	if err != nil {
		return nil, "", err
	}
	for _, way := range []func(*text.Document, *wanted, *config.Table){byKey, byTable} {
		d, err := text.Parse(string(item.Data))
		if err != nil {
			return nil, "", err
		}
		for i := range wishes {
			way(d, &wishes[i], o.hider.tables[wishes[i].Kind])
		}
		if after := []byte(d.String()); holds(after, want) {
			return after, "", nil
		}
	}
	var all []string
	for i := range want {
		all = append(all, want[i].Text(o.hider.tables[want[i].Kind]))
	}
	after = []byte(strings.Join(all, "\n"))
	if !holds(after, want) {
		return nil, "", fmt.Errorf("%s cannot be written so that it means what is wanted", item.Key)
	}
	return after, item.Key + " is written anew: it has forms that cannot be changed in place, and its comments get lost", nil
}

// tablesAfter is what a document is to hold.
func (o *Objects) tablesAfter(item source.Item, wishes []wanted) ([]config.Written, error) {
	now, report := config.ReadTables([]config.Document{{Name: item.Key, Data: item.Data}})
	if len(report.Errors) > 0 {
		return nil, fmt.Errorf("%s has to be mended by hand first: %s", item.Key, report.Errors[0])
	}
	wish := map[id]*wanted{}
	for i := range wishes {
		wish[id{wishes[i].Kind, wishes[i].Name}] = &wishes[i]
	}
	var want []config.Written
	for _, t := range now {
		w := wish[id{t.Kind, t.Name}]
		delete(wish, id{t.Kind, t.Name})
		if w == nil {
			want = append(want, t)
		} else if w.Table != nil {
			t.Table = w.Table
			want = append(want, t)
		}
	}
	for i := range wishes {
		if w := wish[id{wishes[i].Kind, wishes[i].Name}]; w != nil && w.Table != nil {
			want = append(want, config.Written{Kind: w.Kind, Name: w.Name, Table: w.Table})
		}
	}
	return want, nil
}

// holds says whether a text means these tables and nothing else.
func holds(data []byte, want []config.Written) bool {
	now, report := config.ReadTables([]config.Document{{Data: data}})
	if len(report.Errors) > 0 || len(now) != len(want) {
		return false
	}
	known := map[id]map[string]any{}
	for _, t := range now {
		known[id{t.Kind, t.Name}] = t.Table
	}
	for _, t := range want {
		if table, ok := known[id{t.Kind, t.Name}]; !ok || !same(table, t.Table) {
			return false
		}
	}
	return true
}

// byKey changes the keys of a table that differ.
func byKey(d *text.Document, w *wanted, table *config.Table) {
	own := config.Written{Kind: w.Kind, Name: w.Name, Table: w.Table}
	if w.Table == nil || w.Text != "" || w.old == nil {
		byTable(d, w, table)
		return
	}
	for _, key := range sortedKeys(w.old.Table) {
		if _, stays := w.Table[key]; !stays {
			d.Unset(key, own.Path()...)
		}
	}
	for _, key := range sortedKeys(w.Table) {
		if before, ok := w.old.Table[key]; ok && same(before, w.Table[key]) {
			continue
		}
		d.Set(key, config.KeyText(key), config.ValueText(w.Table[key]), own.Path()...) // what cannot be done in place is found by holds
	}
}

// byTable puts a table in place of what stood there.
func byTable(d *text.Document, w *wanted, table *config.Table) {
	own := config.Written{Kind: w.Kind, Name: w.Name, Table: w.Table}
	switch {
	case w.Table == nil:
		d.Remove(own.Path()...)
	case w.Text != "":
		d.Replace(w.Text, own.Path()...)
	default:
		d.Replace(own.Text(table), own.Path()...)
	}
}
