package written

import (
	"fmt"
	"slices"
	"strings"

	"pingap/config"
	"pingap/config/text"
)

// redacted is in a text of which only a part is shown.
const redacted = "[redacted]"

// probe is a text that is no path of a file: what hides it is secret.
const probe = "-----"

// marks are what texts of an object are shown as, and what they are.
type marks struct {
	hider *hider
	old   *config.Written // nil for a new object
	known map[string][]leaf
}

// marksOf reads them from what an object is now.
func (h *hider) marksOf(old *config.Written) *marks {
	m := &marks{hider: h, old: old, known: map[string][]leaf{}}
	if old == nil {
		return m
	}
	for _, l := range leaves(old.Table, nil, nil) {
		if shown := h.shown(old, l); shown != l.text {
			id := markID(l.path, shown)
			m.known[id] = append(m.known[id], l)
		}
	}
	return m
}

func markID(path []string, shown string) string {
	return strings.Join(keysOf(path), "\x1f") + "\x1f\x1f" + shown
}

// reveal is what a text of the new form of an object means: itself, or what it was shown for.
func (m *marks) reveal(w *config.Written, l leaf) (string, error) {
	if w.Kind == config.KindStorage && l.path[0] == "value" && opens(w) && m.old != nil && opens(m.old) {
		old, _ := m.old.Table["value"].(string)
		return m.hider.revealStorage(old, l.text)
	}
	id := markID(l.path, l.text)
	known := m.known[id]
	if at := slices.IndexFunc(known, func(k leaf) bool { return slices.Equal(k.path, l.path) }); at >= 0 {
		return known[at].text, nil
	}
	if len(known) > 0 {
		if len(known) > 1 {
			m.known[id] = known[1:] // each stands for one
		}
		return known[0].text, nil
	}
	if strings.Contains(l.text, redacted) || isMark(l.text) && m.hider.shown(w, leaf{l.path, probe}) != probe {
		return "", fmt.Errorf("%q stands for a secret, but there is none that it could be", l.text)
	}
	return l.text, nil
}

// isMark says whether a text is the mark of a secret.
func isMark(text string) bool {
	rest, ok := strings.CutPrefix(text, config.HiddenMark)
	return ok && strings.Trim(rest, "0123456789.") == ""
}

// table gives the new form of an object without marks. What is wrong is named by its key.
func (m *marks) table(w *config.Written) []Mistake {
	var wrong []Mistake
	for _, l := range leaves(w.Table, nil, nil) {
		real, err := m.reveal(w, l)
		if err != nil {
			wrong = append(wrong, Mistake{Kind: w.Kind, Name: w.Name, Key: strings.Join(keysOf(l.path), "."), Message: err.Error()})
		} else if real != l.text {
			put(w.Table, l.path, real)
		}
	}
	return wrong
}

// put replaces a text.
func put(v any, path []string, text string) {
	for i, part := range path {
		last := i == len(path)-1
		switch at := v.(type) {
		case map[string]any:
			if last {
				at[part] = text
			}
			v = at[part]
		case []any:
			n := 0
			if _, err := fmt.Sscanf(part, "#%d", &n); err != nil || n >= len(at) {
				return
			}
			if last {
				at[n] = text
			}
			v = at[n]
		}
	}
}

// text gives the new text of an object without marks, those in comments included.
func (m *marks) text(w *config.Written, doc, before string) (string, []Mistake) {
	spans, err := text.Values(doc)
	if err != nil {
		return "", []Mistake{{Kind: w.Kind, Name: w.Name, Message: err.Error()}}
	}
	var wrong []Mistake
	for _, l := range leaves(w.Table, nil, nil) {
		real, err := m.reveal(w, l)
		if err == nil && real != l.text && !spans.Replace(config.ValueText(real), append(w.Path(), l.path...)...) {
			err = fmt.Errorf("what %q stands for cannot be written in its place", l.text)
		}
		if err != nil {
			wrong = append(wrong, Mistake{Kind: w.Kind, Name: w.Name, Key: strings.Join(keysOf(l.path), "."), Message: err.Error()})
		}
	}
	m.hider.revealComments(spans, before)
	return spans.String(), wrong
}

// revealComments gives comments back what was not shown of them.
func (h *hider) revealComments(spans *text.Spans, before string) {
	old, err := text.Values(before)
	if err != nil {
		return
	}
	known := map[string]string{}
	old.Comments(func(comment string) string {
		if shown := h.comment(comment); shown != comment {
			known[shown] = comment
		}
		return comment
	})
	spans.Comments(func(comment string) string {
		if real, ok := known[comment]; ok {
			return real
		}
		return comment
	})
}

// revealStorage is reveal for the text of a storage.
func (h *hider) revealStorage(old, value string) (string, error) {
	before, after := included(old), included(value)
	if before == nil || after == nil {
		if isMark(value) {
			return old, nil
		}
		return value, nil
	}
	known := map[string]string{}
	for _, l := range leaves(before.Table, nil, nil) {
		if shown := h.include(before, l); shown != l.text {
			known[markID(l.path, shown)] = l.text
		}
	}
	spans, err := text.Values(includeHeader + value)
	if err != nil {
		return "", err
	}
	for _, l := range leaves(after.Table, nil, nil) {
		real, ok := known[markID(l.path, l.text)]
		switch {
		case ok && !spans.Replace(config.ValueText(real), append(after.Path(), l.path...)...):
			return "", fmt.Errorf("what %q stands for cannot be written in its place", l.text)
		case !ok && (strings.Contains(l.text, redacted) || isMark(l.text)):
			return "", fmt.Errorf("%q stands for a secret, but there is none that it could be", l.text)
		}
	}
	h.revealComments(spans, includeHeader+old)
	return strings.TrimPrefix(spans.String(), includeHeader), nil
}
