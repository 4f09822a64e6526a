package objects

import (
	"strings"

	"pingap/config"
	"pingap/control/admin/api"
	"pingap/control/admin/objects/internal/textdiff"
	"pingap/control/history"
)

// Preview is what a change would come to.
type Preview struct {
	Class    string   `json:"class"` // none, hot, listeners or roll
	Changes  []Change `json:"changes"`
	Text     string   `json:"text"` // unified difference of the documents, without secrets
	Warnings []string `json:"warnings"`
	Base     string   `json:"base"` // what it was compared with, for If-Match
}

// Change is what happens to an object.
type Change struct {
	Object string      `json:"object"` // upstream:api
	Op     string      `json:"op"`     // added, changed or removed
	Class  string      `json:"class"`
	Keys   []KeyChange `json:"keys"`
}

// KeyChange is a key that changes. From and To are as TOML writes them; empty is the default.
type KeyChange struct {
	Key   string `json:"key"`
	From  string `json:"from"`
	To    string `json:"to"`
	Class string `json:"class"`
}

// Outcome is what a change came to.
type Outcome struct {
	Version  uint64   `json:"version"`
	SHA      string   `json:"sha"`
	Class    string   `json:"class"`
	Changes  []Change `json:"changes"`
	TookMS   float64  `json:"took_ms"`
	Workers  []Worker `json:"workers"`
	Warnings []string `json:"warnings"`
}

// word is the name of a class in answers.
func word(c config.Class) string {
	if c == config.Same {
		return "none"
	}
	return c.String()
}

// changesOf puts a difference into words.
func changesOf(changes config.Changes) []Change {
	list := []Change{}
	for i, d := range history.Describe(changes) {
		c := Change{Object: d.Object, Op: d.Op, Class: word(changes[i].Class), Keys: []KeyChange{}}
		for n, k := range d.Keys {
			c.Keys = append(c.Keys, KeyChange{Key: k.Key, From: hidden(k.Old), To: hidden(k.New), Class: word(changes[i].Keys[n].Class)})
		}
		list = append(list, c)
	}
	return list
}

// hidden is how a secret looks in answers.
func hidden(text string) string {
	if text == "[redacted]" {
		return config.HiddenMark
	}
	return text
}

// preview is the answer to a dry run.
func (o *Objects) preview(j *Judged) Preview {
	return Preview{Class: word(j.Class), Changes: changesOf(j.Changes), Text: o.difference(j.Before, j.After), Warnings: orEmpty(j.Warnings), Base: j.Before.Tag()}
}

func outcome(a *Applied) Outcome {
	return Outcome{Version: a.Number, SHA: a.SHA, Class: word(a.Class), Changes: changesOf(a.Changes), TookMS: float64(a.Took.Microseconds()) / 1000,
		Workers: orEmpty(a.Workers), Warnings: orEmpty(a.Warnings)}
}

// maxText bounds the difference as text, in bytes.
const maxText = 256 << 10

// difference compares the documents of two sources.
func (o *Objects) difference(before, after *Source) string {
	old := map[string][]byte{}
	for _, d := range before.Docs {
		old[d.Path] = d.Data
	}
	shower := o.reader.Read(nil, nil)
	var b strings.Builder
	add := func(name string, from, to []byte) {
		if string(from) != string(to) && b.Len() < maxText {
			b.WriteString(textdiff.Unified(name, shower.Document(name, from), shower.Document(name, to)))
		}
	}
	for _, d := range after.Docs {
		add(d.Path, old[d.Path], d.Data)
		delete(old, d.Path)
	}
	for _, d := range before.Docs {
		if data, gone := old[d.Path]; gone {
			add(d.Path, data, nil)
		}
	}
	if b.Len() > maxText {
		return strings.ToValidUTF8(b.String()[:maxText], "") + "\n... and more\n"
	}
	return b.String()
}

// places are problems as the interface tells them.
func places(problems []config.Problem) []api.Place {
	var all []api.Place
	for _, p := range problems {
		place := api.Place{File: p.File, Line: p.Line, Key: p.Key, Object: config.ObjectOf(p.Key), Message: p.Message}
		if rest, ok := strings.CutPrefix(p.Message, "expected "); ok {
			place.Expected, _, _ = strings.Cut(rest, ", found ")
		}
		all = append(all, place)
	}
	return all
}
