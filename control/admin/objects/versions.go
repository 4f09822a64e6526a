package objects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"pingap/config"
	"pingap/control/admin/api"
	"pingap/control/admin/objects/internal/textdiff"
	"pingap/control/admin/objects/internal/written"
	"pingap/control/history"
)

// versions is the list of those that are kept.
type versions struct {
	Live     uint64    `json:"live"`
	Versions []version `json:"versions"` // oldest first
}

type version struct {
	Version    uint64    `json:"version"`
	At         time.Time `json:"at"`
	By         string    `json:"by"`
	SHA        string    `json:"sha"`
	Size       int64     `json:"size"`
	Changes    []Change  `json:"changes"`
	More       int       `json:"more,omitempty"` // objects that are not among Changes
	RollbackOf uint64    `json:"rollback_of,omitempty"`
}

func (o *Objects) getVersions(w http.ResponseWriter, r *http.Request) error {
	kept, err := o.control.Versions(r.Context())
	if err != nil {
		return err
	}
	all := versions{Live: kept.Live, Versions: []version{}}
	for _, v := range kept.Versions {
		all.Versions = append(all.Versions, version{Version: v.Number, At: v.At, By: v.By, SHA: v.SHA, Size: v.Size, Changes: keptChanges(v.Changes), More: v.More,
			RollbackOf: v.CopyOf})
	}
	return o.tagged(w, r, all)
}

// keptChanges are changes as a version keeps them: the class of each key is not among that.
func keptChanges(list []history.Change) []Change {
	all := []Change{}
	for _, k := range list {
		c := Change{Object: k.Object, Op: k.Op, Class: k.Class, Keys: []KeyChange{}}
		if c.Class == config.Same.String() {
			c.Class = word(config.Same)
		}
		for _, key := range k.Keys {
			c.Keys = append(c.Keys, KeyChange{Key: key.Key, From: hidden(key.Old), To: hidden(key.New), Class: c.Class})
		}
		all = append(all, c)
	}
	return all
}

// tagged answers with what the answer is about.
func (o *Objects) tagged(w http.ResponseWriter, r *http.Request, value any) error {
	if s, err := o.control.Source(r.Context()); err == nil { // what cannot be read has no tag
		tag(w, s)
	}
	return api.WriteJSON(w, value)
}

// numberOf reads the number of a version from the path.
func numberOf(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n == 0 {
		return 0, api.Errorf(http.StatusBadRequest, "%q is not the number of a version", clip(text))
	}
	return n, nil
}

func (o *Objects) getVersion(w http.ResponseWriter, r *http.Request) error {
	n, err := numberOf(r.PathValue("number"))
	if err != nil {
		return err
	}
	text, err := o.text(r.Context(), n)
	if err != nil {
		return err
	}
	return o.tagged(w, r, struct {
		Version uint64 `json:"version"`
		TOML    string `json:"toml"`
	}{n, text})
}

// text is a version as TOML without secrets: what plugins declare secret, and what sounds like it.
func (o *Objects) text(ctx context.Context, number uint64) (string, error) {
	kept, err := o.control.Kept(ctx, number)
	if err != nil {
		return "", err
	}
	return o.reader.Read(nil, nil).Document("", config.Write(kept, true)), nil
}

func (o *Objects) getDiff(w http.ResponseWriter, r *http.Request) error {
	from, err := numberOf(r.PathValue("number"))
	if err != nil {
		return err
	}
	to := uint64(0)
	if text := r.URL.Query().Get("to"); text != "" {
		if to, err = numberOf(text); err != nil {
			return err
		}
	}
	ctx := r.Context()
	difference, err := o.control.Difference(ctx, from, to)
	if err != nil {
		return err
	}
	p := Preview{Class: word(difference.Class()), Changes: changesOf(difference), Warnings: []string{}}
	before, err := o.text(ctx, from)
	if err != nil {
		return err
	}
	after, err := o.text(ctx, to)
	if err != nil {
		return err
	}
	if p.Text = textdiff.Unified("configuration", before, after); len(p.Text) > maxText {
		p.Text = strings.ToValidUTF8(p.Text[:maxText], "") + "\n... and more\n"
	}
	s, err := o.control.Source(ctx)
	if err != nil {
		return err
	}
	p.Base = s.Tag()
	tag(w, s)
	return api.WriteJSON(w, p)
}

// postRollback makes the source mean what a version was, and applies it.
func (o *Objects) postRollback(w http.ResponseWriter, r *http.Request) error {
	n, err := numberOf(r.PathValue("number"))
	if err != nil {
		return err
	}
	var body struct {
		Remark string `json:"remark"`
	}
	if r.ContentLength != 0 {
		if err := readJSON(r, &body); err != nil {
			return err
		}
	}
	e := newEdit(r, body.Remark)
	e.Way = fmt.Sprintf("rollback to %d: ", n)
	api.TrailOf(r.Context()).What = strings.TrimSuffix(e.Way, ": ")
	kept, err := o.control.Kept(r.Context(), n)
	if err != nil {
		return err
	}
	e.By = strings.Replace(e.By, "admin", "rollback to "+strconv.FormatUint(n, 10), 1)
	e.Change = func(ctx context.Context, now *Source) (Draft, error) { return o.back(ctx, now, kept) }
	return o.write(w, r, e)
}

// back says what is to be written so that the source means a kept version. Keys that mean the same stay as they are written, and so do remarks,
// comments and storages.
func (o *Objects) back(ctx context.Context, now *Source, kept *config.Config) (Draft, error) {
	all := o.reader.Read(now.Items, now.Docs)
	tables, report := config.ReadTables([]config.Document{{Name: "version", Data: config.Write(kept, true)}})
	if err := report.Err(); err != nil {
		return Draft{}, err
	}
	var notes []string
	var wishes []written.Wish
	loaded, err := o.control.Loaded(ctx)
	var broken *api.Error
	switch {
	case errors.As(err, &broken) && broken.Status == http.StatusUnprocessableEntity:
		// What is broken means nothing that could be compared: all of the version is written in its place.
		notes = append(notes, "the source had errors, so every object is written as it was: remarks and includes of before are lost")
		for _, object := range all.All {
			is := func(t config.Written) bool { return t.Kind == object.Kind && t.Name == object.Name }
			if object.Kind != config.KindStorage && !slices.ContainsFunc(tables, is) {
				wishes = append(wishes, removal(object.Kind, object.Name)...)
			}
		}
	case err != nil:
		return Draft{}, err
	}
	for _, c := range config.Diff(loaded, kept) {
		wish := written.Wish{Kind: c.Kind, Name: c.Name}
		at := slices.IndexFunc(tables, func(t config.Written) bool { return t.Kind == c.Kind && t.Name == c.Name })
		switch {
		case at >= 0 && broken != nil:
			wish.Table = tables[at].Table
		case at >= 0:
			wish.Table = former(all.Find(c.Kind, c.Name), &tables[at], c)
		}
		if wish.Table != nil || all.Find(c.Kind, c.Name) != nil {
			wishes = append(wishes, wish)
		}
	}
	out, err := all.Change(now.Layout, now.Single, wishes)
	switch {
	case err != nil:
		return Draft{}, api.Errorf(http.StatusUnprocessableEntity, "%v", err)
	case len(out.Mistakes) > 0:
		return Draft{}, mistaken(out.Mistakes)
	}
	return Draft{Ops: out.Ops, Notes: append(notes, out.Notes...)}, nil
}

// former is an object as it was. Of one that includes storages the keys could come from these: it is written whole, without them.
func former(object *written.Object, was *config.Written, c config.Change) map[string]any {
	if object == nil || c.Op != config.Changed {
		return was.Table
	}
	_, includes := object.Table["includes"]
	table := map[string]any{}
	for key, value := range object.Table {
		if !includes || key == "remark" {
			table[key] = value
		}
	}
	if includes {
		for key, value := range was.Table {
			table[key] = value
		}
		return table
	}
	for _, k := range c.Keys {
		if value, ok := was.Table[k.Key]; ok {
			table[k.Key] = value
		} else {
			delete(table, k.Key)
		}
	}
	return table
}
