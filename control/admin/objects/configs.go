package objects

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"pingap/config"
	"pingap/control/admin/api"
	"pingap/control/admin/objects/internal/written"
	"pingap/control/source"
	"pingap/control/transfer"
)

// The endpoints of the original: its shapes, our status codes.

// getConfigs answers the whole configuration, includes as they are written.
func (o *Objects) getConfigs(w http.ResponseWriter, r *http.Request) error {
	s, all, err := o.read(r.Context())
	if err != nil {
		return err
	}
	tag(w, s)
	return api.WriteJSON(w, o.whole(all))
}

func (o *Objects) whole(all *written.Objects) map[string]any {
	whole := map[string]any{}
	for _, c := range o.schema.Categories {
		kind, _ := config.ParseKind(c.Name)
		if kind != config.KindBasic {
			whole[c.Table] = o.category(all, kind)
			continue
		}
		basic := map[string]any{}
		if object := all.Find(kind, ""); object != nil {
			basic = all.Value(object)
		}
		whole[c.Table] = o.padded(kind, basic)
	}
	return whole
}

// category is all of a kind by their names.
func (o *Objects) category(all *written.Objects, kind config.Kind) map[string]any {
	objects := map[string]any{}
	for _, object := range all.All {
		if object.Kind == kind {
			objects[object.Name] = o.padded(kind, all.Value(object))
		}
	}
	return objects
}

// padded has null for each key that is not set.
func (o *Objects) padded(kind config.Kind, value map[string]any) map[string]any {
	for _, key := range o.schema.Categories[kind].Keys {
		if _, ok := value[key.Name]; !ok {
			value[key.Name] = nil
		}
	}
	return value
}

// getCategory answers the objects of a category; of an unknown one, as the original does, everything.
func (o *Objects) getCategory(w http.ResponseWriter, r *http.Request) error {
	kind, ok := config.ParseKind(r.PathValue("category"))
	if !ok || kind == config.KindStorage || kind == config.KindBasic {
		return o.getConfigs(w, r)
	}
	s, all, err := o.read(r.Context())
	if err != nil {
		return err
	}
	tag(w, s)
	return api.WriteJSON(w, o.category(all, kind))
}

// getFull answers the configuration as text: as it is written, and with everything included.
func (o *Objects) getFull(w http.ResponseWriter, r *http.Request) error {
	s, all, err := o.read(r.Context())
	if err != nil {
		return err
	}
	full, err := transfer.Export(s.Docs, true)
	if err != nil {
		return api.Errorf(http.StatusUnprocessableEntity, "the configuration cannot be read: %v", err)
	}
	var original []string
	for _, d := range s.Docs {
		original = append(original, all.Document(d.Path, d.Data))
	}
	tag(w, s)
	return api.WriteJSON(w, map[string]string{"hcl": "", "kdl": "", "full": all.Document("", full), "original": strings.Join(original, "\n")})
}

// postConfig replaces one object.
func (o *Objects) postConfig(w http.ResponseWriter, r *http.Request) error {
	kind, name, err := target(r)
	if err != nil {
		return err
	}
	var value map[string]any
	if err := readJSON(r, &value); err != nil {
		return err
	}
	if value == nil {
		return api.Errorf(http.StatusBadRequest, "expected an object")
	}
	wish, err := valued(written.Wish{Kind: kind, Name: name}, value)
	if err != nil {
		return err
	}
	return o.quietly(w, r, o.edit(r, "", []written.Wish{wish}))
}

func (o *Objects) deleteConfig(w http.ResponseWriter, r *http.Request) error {
	kind, name, err := target(r)
	if err != nil {
		return err
	}
	return o.quietly(w, r, o.edit(r, "", removal(kind, name)))
}

// quietly makes an edit and answers as the original does: nothing, with the version in a field.
func (o *Objects) quietly(w http.ResponseWriter, r *http.Request, e Edit) error {
	return o.perform(w, r, e, func(a *Applied) error {
		w.Header().Set("Pingap-Version", strconv.FormatUint(a.Number, 10))
		return done(w)
	})
}

// postImport takes a whole configuration, or a part of one, as TOML.
func (o *Objects) postImport(w http.ResponseWriter, r *http.Request) error {
	data, err := readAll(r)
	if err != nil {
		return err
	}
	upload := o.reader.Read(nil, []source.Document{{Path: "import", Data: data}})
	if len(upload.Problems) > 0 {
		e := api.Errorf(http.StatusUnprocessableEntity, "what was sent is not a configuration")
		e.Errors = places(upload.Problems)
		return e
	}
	if len(upload.All) == 0 {
		return api.Errorf(http.StatusBadRequest, "there is no table of a configuration in it")
	}
	if len(upload.All) > maxWishes {
		return api.Errorf(http.StatusRequestEntityTooLarge, "there are more than %d objects", maxWishes)
	}
	for _, object := range upload.All {
		if _, err := checkName(object.Kind, object.Name); err != nil {
			return err
		}
	}
	e := newEdit(r, "import")
	e.Way = "import: "
	e.asked(r, imported(upload, upload, source.ByItem))
	e.Change = func(_ context.Context, now *Source) (Draft, error) {
		all := o.reader.Read(now.Items, now.Docs)
		return o.fulfil(now, imported(all, upload, now.Layout))
	}
	return o.quietly(w, r, e)
}

// imported are the wishes of an import. As in the original it replaces what the layout writes as a whole: a single file, or the file of a type.
func imported(now, upload *written.Objects, layout source.Layout) []written.Wish {
	var wishes []written.Wish
	kinds := map[config.Kind]bool{}
	for _, object := range upload.All {
		kinds[object.Kind] = true
		wishes = append(wishes, written.Wish{Kind: object.Kind, Name: object.Name, Text: upload.Raw(object), Table: object.Table})
	}
	for _, object := range now.All {
		replaced := layout == source.Single || layout == source.ByType && kinds[object.Kind]
		if replaced && upload.Find(object.Kind, object.Name) == nil {
			wishes = append(wishes, removal(object.Kind, object.Name)...)
		}
	}
	return wishes
}

// formerObject is what an object was once.
type formerObject struct {
	CreatedAt int64          `json:"created_at"` // Unix seconds
	Data      map[string]any `json:"data"`
}

// getHistory answers what an object was before, where the source keeps that.
func (o *Objects) getHistory(w http.ResponseWriter, r *http.Request) error {
	kind, name, err := target(r)
	if err != nil {
		return err
	}
	s, err := o.control.Source(r.Context())
	if err != nil {
		return err
	}
	list := []formerObject{}
	if s.Layout == source.ByItem {
		key, err := s.Layout.KeyOf(kind.Table(), name)
		if err != nil {
			return api.Errorf(http.StatusBadRequest, "%v", err)
		}
		kept, err := o.control.Former(r.Context(), key)
		if err != nil {
			return err
		}
		for _, f := range kept {
			before := o.reader.Read(nil, []source.Document{{Path: key, Data: f.Data}})
			if object := before.Find(kind, name); object != nil {
				list = append(list, formerObject{f.At.Unix(), o.padded(kind, before.Value(object))})
			}
		}
	}
	tag(w, s)
	return api.WriteJSON(w, map[string]any{"history": list})
}
