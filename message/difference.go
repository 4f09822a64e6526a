package message

import (
	"bytes"
	"strings"
)

// Difference is what became of a field.
type Difference struct {
	Op    string // set, add or remove
	Name  string
	Value string // empty for remove
}

// Differences lists what makes the fields after of the fields before, by name in the order of their first appearance.
func Differences(before, after []Field) []Difference {
	var all []Difference
	seen := map[string]bool{}
	each := func(f *Field) {
		name := strings.ToLower(string(f.Name))
		if seen[name] {
			return
		}
		seen[name] = true
		all = appendDifference(all, string(f.Name), valuesOf(before, f), valuesOf(after, f))
	}
	for i := range before {
		each(&before[i])
	}
	for i := range after {
		each(&after[i])
	}
	return all
}

func appendDifference(all []Difference, name string, before, after [][]byte) []Difference {
	if len(after) == 0 {
		return append(all, Difference{Op: "remove", Name: name})
	}
	same := 0
	for same < len(before) && same < len(after) && bytes.Equal(before[same], after[same]) {
		same++
	}
	op := "add"
	if same < len(before) || same == 0 {
		same, op = 0, "set"
	}
	for _, value := range after[same:] {
		all = append(all, Difference{Op: op, Name: name, Value: string(value)})
		op = "add"
	}
	return all
}

func valuesOf(list []Field, f *Field) [][]byte {
	var values [][]byte
	for i := range list {
		if bytes.EqualFold(list[i].Name, f.Name) {
			values = append(values, list[i].Value)
		}
	}
	return values
}
