package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"pingap/config"
	"pingap/control/source"
)

// Judge checks documents as a configuration, and returns every error.
type Judge func(docs []source.Document) []string

// Invalid are the errors of a configuration that is not written because of them.
type Invalid struct{ Errors []string }

func (e *Invalid) Error() string {
	if len(e.Errors) == 1 {
		return "the configuration has an error, nothing was written"
	}
	return fmt.Sprintf("the configuration has %d errors, nothing was written", len(e.Errors))
}

// Outcome says what was written.
type Outcome struct {
	Written []string // keys
	Kept    []string // keys of objects that the target holds besides
}

// Export makes one text of documents; with full it holds what is included, and storages are left out.
func Export(docs []source.Document, full bool) ([]byte, error) {
	parts, err := partsOf(docs, full)
	if err != nil {
		return nil, err
	}
	var text [][]byte
	for _, p := range parts {
		if !full || p.Table != "storages" {
			text = append(text, p.Text)
		}
	}
	return bytes.Join(text, []byte("\n")), nil
}

func partsOf(docs []source.Document, expand bool) ([]config.Part, error) {
	var in []config.Document
	for _, d := range docs {
		in = append(in, config.Document{Name: d.Path, Data: d.Data})
	}
	parts, report := config.Parts(in, expand)
	if len(report.Errors) > 0 {
		e := &Invalid{}
		for _, p := range report.Errors {
			e.Errors = append(e.Errors, p.String())
		}
		return nil, e
	}
	return parts, nil
}

// Import writes documents to a store, in its layout.
func Import(ctx context.Context, to source.Store, name string, docs []source.Document, expand bool, judge Judge) (Outcome, error) {
	parts, err := partsOf(docs, expand)
	if err != nil {
		return Outcome{}, err
	}
	if len(parts) == 0 {
		return Outcome{}, errors.New("there is no table of a configuration in it")
	}
	now, err := to.List(ctx)
	if err != nil {
		return Outcome{}, err
	}
	wanted, err := layOut(to.Layout(), name, parts)
	if err != nil {
		return Outcome{}, err
	}
	ops, after, out := compare(now, wanted)
	if errs := judge(after); len(errs) > 0 {
		return Outcome{}, &Invalid{Errors: errs}
	}
	if len(ops) == 0 {
		return out, nil
	}
	return out, to.Txn(ctx, ops...)
}

// layOut joins parts to the items of a layout. name is that of the only item of a single file.
func layOut(layout source.Layout, name string, parts []config.Part) ([]source.Item, error) {
	var items []source.Item
	at := map[string]int{}
	for _, p := range parts {
		key := name
		if layout != source.Single {
			var err error
			if key, err = layout.KeyOf(p.Table, p.Name); err != nil {
				return nil, err
			}
		}
		n, known := at[key]
		if !known {
			n = len(items)
			at[key] = n
			items = append(items, source.Item{Key: key})
		} else {
			items[n].Data = append(items[n].Data, '\n')
		}
		items[n].Data = append(items[n].Data, p.Text...)
	}
	return items, nil
}

// compare says what to write, what the store will hold then, and what it holds besides.
func compare(now, wanted []source.Item) (ops []source.Op, after []source.Document, out Outcome) {
	byKey := map[string]source.Item{}
	for _, i := range now {
		byKey[i.Key] = i
	}
	for _, w := range wanted {
		before, found := byKey[w.Key]
		delete(byKey, w.Key)
		after = append(after, source.Document{Path: w.Key, Data: w.Data})
		if !found || !bytes.Equal(before.Data, w.Data) {
			ops = append(ops, source.Op{Key: w.Key, Data: w.Data, Rev: before.Rev})
			out.Written = append(out.Written, w.Key)
		}
	}
	for _, i := range now {
		if _, besides := byKey[i.Key]; besides {
			after = append(after, source.Document{Path: i.Key, Data: i.Data})
			out.Kept = append(out.Kept, i.Key)
		}
	}
	return ops, after, out
}

// Retired is an item that a migration took out of the configuration.
type Retired struct {
	Key   string
	Aside string // the name that it has now; empty where it is kept in the history
}

func (r Retired) String() string {
	if r.Aside == "" {
		return "config layout migrated: " + r.Key + " (kept in history)"
	}
	return fmt.Sprintf("config layout migrated: %s (renamed to %s)", r.Key, r.Aside)
}

// Migrate writes a store anew in its own layout, and retires what that layout would not write: where history is wanted it is kept there,
// else under its name with .bak behind. It returns what it took out; nothing where there is nothing to do.
func Migrate(ctx context.Context, s source.Store, loc source.Location, judge Judge) ([]Retired, error) {
	items, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	stale := slices.DeleteFunc(slices.Clone(items), func(i source.Item) bool { return s.Layout().Canonical(i.Key) })
	if len(stale) == 0 {
		return nil, nil
	}
	var docs []source.Document
	byKey := map[string]source.Item{}
	for _, i := range items {
		docs = append(docs, source.Document{Path: i.Key, Data: i.Data})
		byKey[i.Key] = i
	}
	parts, err := partsOf(docs, false)
	if err != nil {
		return nil, fmt.Errorf("config layout migration fail: %w", err)
	}
	wanted, err := layOut(s.Layout(), "", parts)
	if err != nil {
		return nil, fmt.Errorf("config layout migration fail: %w", err)
	}
	ops, _, _ := compare(items, wanted)
	after := make([]source.Document, 0, len(wanted))
	for _, w := range wanted {
		after = append(after, source.Document{Path: w.Key, Data: w.Data})
	}
	if errs := judge(after); len(errs) > 0 {
		return nil, &Invalid{Errors: errs}
	}
	var done []Retired
	for _, i := range stale {
		retired, gone, err := retire(s, loc, i)
		if err != nil {
			return done, err
		}
		ops = append(ops, gone)
		done = append(done, retired)
	}
	return done, s.Txn(ctx, ops...)
}

// retire says how a stale item goes, and the operation that takes it out of the configuration.
func retire(s source.Store, loc source.Location, i source.Item) (Retired, source.Op, error) {
	gone := source.Op{Key: i.Key, Rev: i.Rev}
	if loc.History && s.Layout() == source.ByItem {
		return Retired{Key: i.Key}, gone, nil
	}
	aside := i.Key + ".bak"
	if err := source.SetAside(s, i.Key, i.Data); err != nil {
		return Retired{}, source.Op{}, err
	}
	return Retired{Key: i.Key, Aside: filepath.ToSlash(aside)}, gone, nil
}
