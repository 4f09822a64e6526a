package written

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"pingap/config"
)

// Wish is what an object shall be.
type Wish struct {
	Kind  config.Kind
	Name  string
	Table map[string]any // nil with an empty Text: it shall not be there
	Text  string         // as TOML, in place of Table
}

// Wanted makes the value of a JSON object the table of a wish: null is a key that is not there. It takes numbers as json.Number.
func Wanted(value map[string]any) (map[string]any, error) {
	table := make(map[string]any, len(value))
	for key, v := range value {
		if v == nil {
			continue
		}
		converted, err := fromJSON(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		table[key] = converted
	}
	return table, nil
}

func fromJSON(v any) (any, error) {
	switch v := v.(type) {
	case string, bool:
		return v, nil
	case json.Number:
		return number(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err error
			if list[i], err = fromJSON(v[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		return Wanted(v)
	}
	return nil, fmt.Errorf("null has no place in a list")
}

func number(v json.Number) (any, error) {
	if !strings.ContainsAny(v.String(), ".eE") {
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%.40s is no whole number that there can be", v)
		}
		return n, nil
	}
	f, err := v.Float64()
	if err != nil {
		return nil, fmt.Errorf("%.40s is no number that there can be", v)
	}
	return f, nil
}

// same compares values as TOML has them.
func same(a, b any) bool { return reflect.DeepEqual(a, b) }

// wanted is a wish without marks: what the object shall be, and its text where it was given as one.
type wanted struct {
	Wish
	old *Object // nil where it is new
}

// reveal takes the marks out of wishes.
func (o *Objects) reveal(wishes []Wish) ([]wanted, []Mistake) {
	renamed := o.renamed(wishes)
	var all []wanted
	var wrong []Mistake
	for _, w := range wishes {
		old := o.Find(w.Kind, w.Name)
		known := old
		if known == nil {
			known = renamed[w.Kind]
		}
		var before *config.Written
		if known != nil {
			before = &known.Written
		}
		m := o.hider.marksOf(before)
		switch {
		case w.Text != "":
			wrong = append(wrong, o.revealText(&w, m, known)...)
		case w.Table != nil:
			w.Table, _ = clone(w.Table).(map[string]any)
			wrong = append(wrong, m.table(&config.Written{Kind: w.Kind, Name: w.Name, Table: w.Table})...)
		case old == nil:
			wrong = append(wrong, Mistake{Kind: w.Kind, Name: w.Name, Message: "it cannot be removed, as it is not there"})
		}
		all = append(all, wanted{w, old})
	}
	return all, wrong
}

// renamed are the objects that wishes remove, where of a kind there is one only: what takes their place may come with their secrets.
func (o *Objects) renamed(wishes []Wish) map[config.Kind]*Object {
	gone := map[config.Kind]*Object{}
	count := map[config.Kind]int{}
	for _, w := range wishes {
		if w.Text == "" && w.Table == nil {
			gone[w.Kind] = o.Find(w.Kind, w.Name)
			count[w.Kind]++
		}
	}
	for kind, n := range count {
		if n > 1 {
			delete(gone, kind)
		}
	}
	return gone
}

// revealText reads the text of a wish.
func (o *Objects) revealText(w *Wish, m *marks, old *Object) []Mistake {
	own := config.Written{Kind: w.Kind, Name: w.Name}
	tables, report := config.ReadTables([]config.Document{{Data: []byte(w.Text)}})
	var wrong []Mistake
	for _, p := range report.Errors {
		message := p.Message
		if p.Line > 0 {
			message = fmt.Sprintf("line %d: %s", p.Line, message)
		}
		wrong = append(wrong, Mistake{Kind: w.Kind, Name: w.Name, Message: message})
	}
	switch {
	case len(wrong) > 0:
		return wrong
	case len(tables) != 1 || tables[0].Kind != w.Kind || tables[0].Name != w.Name:
		header := strings.SplitN(own.Text(nil), "\n", 2)[0]
		return []Mistake{{Kind: w.Kind, Name: w.Name, Message: "expected the text of one object, " + header}}
	}
	before := ""
	if old != nil {
		before = o.Raw(old)
	}
	text, wrong := m.text(&tables[0], w.Text, before)
	if len(wrong) > 0 {
		return wrong
	}
	w.Text = text
	again, _ := config.ReadTables([]config.Document{{Data: []byte(text)}})
	if len(again) != 1 {
		return []Mistake{{Kind: w.Kind, Name: w.Name, Message: "what secrets stand for cannot be written in its text"}}
	}
	w.Table = again[0].Table
	return nil
}
