package objects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"pingap/config"
	"pingap/control/admin/api"
	"pingap/control/admin/objects/internal/written"
)

// changes is the body of POST /changes.
type changes struct {
	Set    map[string]map[string]map[string]any `json:"set"`  // category, name, value or null
	TOML   map[string]map[string]string         `json:"toml"` // category, name, text
	Remark string                               `json:"remark"`
}

// Limits on one change.
const (
	maxWishes = 10_000
	maxRemark = 200
)

func (o *Objects) postChanges(w http.ResponseWriter, r *http.Request) error {
	var body changes
	if err := readJSON(r, &body); err != nil {
		return err
	}
	wishes, err := body.wishes()
	if err != nil {
		return err
	}
	return o.write(w, r, o.edit(r, body.Remark, wishes))
}

// readJSON is api.ReadJSON that keeps numbers as they are written.
func readJSON(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	d.DisallowUnknownFields()
	err := d.Decode(into)
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return err
	case err != nil:
		return api.Errorf(http.StatusBadRequest, "the body is not what is expected: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return api.Errorf(http.StatusBadRequest, "something follows the JSON value of the body")
	}
	return nil
}

// wishes are what the body asks for, ordered by category and name.
func (c *changes) wishes() ([]written.Wish, error) {
	var all []written.Wish
	seen := map[string]bool{}
	add := func(category, name string, make func(written.Wish) (written.Wish, error)) error {
		kind, ok := config.ParseKind(category)
		if !ok {
			return api.Errorf(http.StatusBadRequest, "there is no category %q", clip(category))
		}
		name, err := checkName(kind, name)
		if err != nil {
			return err
		}
		id := kind.String() + ":" + name
		if seen[id] || len(all) == maxWishes {
			return api.Errorf(http.StatusBadRequest, "%s is there twice, or there are more than %d objects", clip(id), maxWishes)
		}
		seen[id] = true
		wish, err := make(written.Wish{Kind: kind, Name: name})
		all = append(all, wish)
		return err
	}
	for _, category := range slices.Sorted(maps.Keys(c.Set)) {
		for _, name := range slices.Sorted(maps.Keys(c.Set[category])) {
			value := c.Set[category][name]
			if err := add(category, name, func(w written.Wish) (written.Wish, error) { return valued(w, value) }); err != nil {
				return nil, err
			}
		}
	}
	for _, category := range slices.Sorted(maps.Keys(c.TOML)) {
		for _, name := range slices.Sorted(maps.Keys(c.TOML[category])) {
			text := c.TOML[category][name]
			if err := add(category, name, func(w written.Wish) (written.Wish, error) { return texted(w, text) }); err != nil {
				return nil, err
			}
		}
	}
	if len(all) == 0 {
		return nil, api.Errorf(http.StatusBadRequest, "nothing is to be changed")
	}
	return all, nil
}

// valued is a wish for a value; nil removes.
func valued(w written.Wish, value map[string]any) (written.Wish, error) {
	if value == nil {
		return w, nil
	}
	var err error
	if w.Table, err = written.Wanted(value); err != nil {
		return w, api.Errorf(http.StatusBadRequest, "%s %s: %v", w.Kind, w.Name, err)
	}
	return w, nil
}

func texted(w written.Wish, text string) (written.Wish, error) {
	if strings.TrimSpace(text) == "" {
		return w, api.Errorf(http.StatusBadRequest, "%s %s: the text is empty; null in set removes an object", w.Kind, w.Name)
	}
	w.Text = text
	return w, nil
}

// edit is the change that fulfils wishes.
func (o *Objects) edit(r *http.Request, remark string, wishes []written.Wish) Edit {
	e := newEdit(r, remark)
	e.asked(r, wishes)
	e.Change = func(_ context.Context, now *Source) (Draft, error) { return o.fulfil(now, wishes) }
	return e
}

// newEdit knows who asks, and for what version.
func newEdit(r *http.Request, remark string) Edit {
	by := "admin by " + api.WhoOf(r.Context()).User
	if remark = strings.ToValidUTF8(remark[:min(len(remark), maxRemark)], ""); remark != "" {
		by += ": " + strings.Map(printable, remark)
	}
	return Edit{By: by, Match: strings.Trim(strings.TrimPrefix(strings.TrimSpace(r.Header.Get("If-Match")), "W/"), `"`)}
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

// fulfil says what is to be written for wishes.
func (o *Objects) fulfil(now *Source, wishes []written.Wish) (Draft, error) {
	all := o.reader.Read(now.Items, now.Docs)
	for _, w := range wishes {
		if w.Table == nil && w.Text == "" && all.Find(w.Kind, w.Name) == nil {
			return Draft{}, api.Errorf(http.StatusNotFound, "there is no %s %q", w.Kind, w.Name)
		}
	}
	if err := inUse(all, wishes); err != nil {
		return Draft{}, err
	}
	out, err := all.Change(now.Layout, now.Single, wishes)
	switch {
	case err != nil:
		return Draft{}, api.Errorf(http.StatusUnprocessableEntity, "%v", err)
	case len(out.Mistakes) > 0:
		return Draft{}, mistaken(out.Mistakes)
	}
	return Draft{Ops: out.Ops, Notes: out.Notes}, nil
}

// inUse refuses to remove what others name still.
func inUse(all *written.Objects, wishes []written.Wish) error {
	for _, w := range wishes {
		if w.Table != nil || w.Text != "" {
			continue
		}
		users := all.StillUsed(w.Kind, w.Name, wishes)
		if len(users) == 0 {
			continue
		}
		kind := w.Kind.String()
		if w.Kind == config.KindPlugin {
			kind = "proxy plugin"
		}
		by, name, _ := strings.Cut(users[0], ":")
		e := api.Errorf(http.StatusConflict, "%s(%s) is in used by %s(%s)", kind, w.Name, by, name) // the words of the original
		e.UsedBy = users
		return e
	}
	return nil
}

// mistaken is the answer to wishes that mean nothing.
func mistaken(mistakes []written.Mistake) error {
	e := api.Errorf(http.StatusUnprocessableEntity, "the change cannot be made")
	for _, m := range mistakes {
		own := config.Written{Kind: m.Kind, Name: m.Name}
		place := api.Place{Object: own.Object(), Message: m.Message}
		if place.Key = strings.Join(own.Path(), "."); m.Key != "" {
			place.Key += "." + m.Key
		}
		e.Errors = append(e.Errors, place)
	}
	return e
}

// write makes an edit, or tells what it would come to, and answers in our shape.
func (o *Objects) write(w http.ResponseWriter, r *http.Request, e Edit) error {
	return o.perform(w, r, e, func(a *Applied) error { return api.WriteJSON(w, outcome(a)) })
}

// perform makes an edit and has it answered, or answers what it would come to.
func (o *Objects) perform(w http.ResponseWriter, r *http.Request, e Edit, answer func(*Applied) error) error {
	if api.Dry(r) {
		return o.try(w, r, e)
	}
	applied, err := o.control.Write(r.Context(), e)
	if err != nil {
		return err
	}
	if err := invalid(&applied.Judged); err != nil {
		return err
	}
	tag(w, applied.After)
	e.told(r, applied)
	return answer(applied)
}

// asked has the audit log say what is wanted, for the case that nothing comes of it.
func (e Edit) asked(r *http.Request, wishes []written.Wish) {
	var all []string
	for _, w := range wishes {
		verb := "set "
		if w.Table == nil && w.Text == "" {
			verb = "remove "
		}
		own := config.Written{Kind: w.Kind, Name: w.Name}
		all = append(all, verb+own.Object())
	}
	api.TrailOf(r.Context()).What = e.Way + few(all)
}

// told has it say what was changed.
func (e Edit) told(r *http.Request, a *Applied) {
	var all []string
	for _, c := range changesOf(a.Changes) {
		all = append(all, c.Object+" "+c.Op)
	}
	if len(all) == 0 {
		all = []string{"nothing that has a meaning"}
	}
	trail := api.TrailOf(r.Context())
	trail.What, trail.Version = e.Way+few(all), a.Number
}

// few is a list for people: no more than they read.
func few(all []string) string {
	const most = 5
	if more := len(all) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), more)
	}
	return strings.Join(all, ", ")
}

// try answers a dry run.
func (o *Objects) try(w http.ResponseWriter, r *http.Request, e Edit) error {
	judged, err := o.control.Try(r.Context(), e)
	if err != nil {
		return err
	}
	if err := invalid(judged); err != nil {
		return err
	}
	tag(w, judged.Before)
	return api.WriteJSON(w, o.preview(judged))
}

// invalid is the answer to a configuration with errors; nil for one without.
func invalid(j *Judged) error {
	if len(j.Errors)+len(j.More) == 0 {
		return nil
	}
	e := api.Errorf(http.StatusUnprocessableEntity, "the configuration would be invalid")
	e.Errors = places(j.Errors)
	for _, text := range j.More {
		e.Errors = append(e.Errors, api.Place{Message: text})
	}
	return e
}

// removal is a wish that an object shall not be there.
func removal(kind config.Kind, name string) []written.Wish {
	return []written.Wish{{Kind: kind, Name: name}}
}
