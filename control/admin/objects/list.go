package objects

import (
	"context"
	"net/http"

	"pingap/config"
	"pingap/control/admin/api"
	"pingap/control/admin/objects/internal/written"
)

// listed is an object in the list of all.
type listed struct {
	Category string   `json:"category"`
	Name     string   `json:"name"`
	Remark   string   `json:"remark"`
	UsedBy   []string `json:"used_by"`
	Uses     []string `json:"uses"`
	Summary  string   `json:"summary"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
}

type list struct {
	Version  string      `json:"version"`
	Source   string      `json:"source"`
	Instance string      `json:"instance"`   // its name, empty for none
	Panel    bool        `json:"panel_only"` // nothing that is written is applied here: others serve it
	Writable string      `json:"writable"`   // empty, or why it cannot be written
	Objects  []listed    `json:"objects"`
	Errors   []api.Place `json:"errors,omitempty"` // of documents that cannot be read
}

// shown is one object.
type shown struct {
	Category string         `json:"category"`
	Name     string         `json:"name"`
	Version  string         `json:"version"`
	Value    map[string]any `json:"value"`
	TOML     string         `json:"toml"`
	UsedBy   []string       `json:"used_by"`
	Uses     []string       `json:"uses"`
	File     string         `json:"file"`
	Line     int            `json:"line"`
}

// read reads what the source holds.
func (o *Objects) read(ctx context.Context) (*Source, *written.Objects, error) {
	s, err := o.control.Source(ctx)
	if err != nil {
		return nil, nil, err
	}
	return s, o.reader.Read(s.Items, s.Docs), nil
}

func (o *Objects) getSchema(w http.ResponseWriter, _ *http.Request) error {
	return api.WriteJSON(w, o.schema)
}

// getObjects lists all; with ?brief it says only what holds for all of them, which any page may ask for.
func (o *Objects) getObjects(w http.ResponseWriter, r *http.Request) error {
	s, all, err := o.read(r.Context())
	if err != nil {
		return err
	}
	l := list{Version: s.Tag(), Source: s.Kind, Instance: s.Instance, Panel: s.PanelOnly, Objects: []listed{}, Errors: places(all.Problems)}
	if s.Writable != nil {
		l.Writable = s.Writable.Error()
	}
	if basic := all.Find(config.KindBasic, ""); s.PanelOnly && basic != nil { // what is live is not what is shown
		l.Instance, _ = basic.Table["name"].(string)
	}
	if r.URL.Query().Has("brief") {
		all.All = nil
	}
	for _, object := range all.All {
		remark, _ := object.Table["remark"].(string)
		l.Objects = append(l.Objects, listed{Category: object.Kind.String(), Name: nameOf(object.Kind, object.Name), Remark: remark, UsedBy: orEmpty(object.UsedBy),
			Uses: orEmpty(object.Uses), Summary: all.Short(object), File: object.File, Line: object.Line})
	}
	tag(w, s)
	return api.WriteJSON(w, l)
}

func (o *Objects) getObject(w http.ResponseWriter, r *http.Request) error {
	kind, name, err := target(r)
	if err != nil {
		return err
	}
	s, all, err := o.read(r.Context())
	if err != nil {
		return err
	}
	object := all.Find(kind, name)
	if object == nil {
		return api.Errorf(http.StatusNotFound, "there is no %s %q", kind, name)
	}
	tag(w, s)
	return api.WriteJSON(w, shown{Category: kind.String(), Name: nameOf(kind, name), Version: s.Tag(), Value: all.Value(object), TOML: all.Text(object),
		UsedBy: orEmpty(object.UsedBy), Uses: orEmpty(object.Uses), File: object.File, Line: object.Line})
}

// target is the object that a path names.
func target(r *http.Request) (config.Kind, string, error) {
	kind, ok := config.ParseKind(r.PathValue("category"))
	if !ok {
		return 0, "", api.Errorf(http.StatusNotFound, "there is no category %q", clip(r.PathValue("category")))
	}
	name, err := checkName(kind, r.PathValue("name"))
	return kind, name, err
}

// maxName bounds names of objects, in bytes.
const maxName = 200

// checkName refuses what no object can be called. basic has no name.
func checkName(kind config.Kind, name string) (string, error) {
	if kind == config.KindBasic {
		return "", nil
	}
	if name == "" || len(name) > maxName {
		return "", api.Errorf(http.StatusBadRequest, "a name has 1 to %d bytes", maxName)
	}
	for _, c := range name {
		if c < ' ' || c == 0x7f || c == '/' || c == '\\' {
			return "", api.Errorf(http.StatusBadRequest, "invalid config name: %q", name)
		}
	}
	return name, nil
}

// nameOf is the name in answers: that of basic is basic.
func nameOf(kind config.Kind, name string) string {
	if kind == config.KindBasic {
		return kind.String()
	}
	return name
}

// orEmpty makes JSON show [] where there is nothing.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// clip bounds a text from outside in a message.
func clip(text string) string {
	const most = 80
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}
