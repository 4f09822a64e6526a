package message

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fieldsOf builds a list from "name: value" lines.
func fieldsOf(lines ...string) *Fields {
	f := &Fields{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		f.Add(name, []byte(value))
	}
	return f
}

func textOf(f *Fields) string {
	var lines []string
	for _, field := range f.List() {
		lines = append(lines, fmt.Sprintf("%s: %s", field.Name, field.Value))
	}
	return strings.Join(lines, "|")
}

func TestFieldsGetAndLookup(t *testing.T) {
	f := fieldsOf("host: a", "X-One: 1", "HOST: b", "x-one: 2", "Accept: ")
	if got := string(f.Get(Host)); got != "a" {
		t.Errorf("host %q", got)
	}
	if f.Get(Cookie) != nil || f.Has(Cookie) || !f.Has(Accept) {
		t.Error("presence is wrong")
	}
	if got, ok := f.Lookup("X-ONE"); !ok || string(got) != "1" {
		t.Errorf("X-One %q, %v", got, ok)
	}
	if got, ok := f.Lookup("accept"); !ok || len(got) != 0 {
		t.Errorf("empty field %q, %v", got, ok)
	}
	if _, ok := f.Lookup("X-Two"); ok {
		t.Error("X-Two is there")
	}
}

func TestUnknownIsNoFieldsName(t *testing.T) {
	f := fieldsOf("X-One: 1", "X-Two: 2")
	if f.Get(Unknown) != nil || f.Has(Unknown) || f.DelID(Unknown) || f.Len() != 2 {
		t.Errorf("Unknown stands for %s", textOf(f))
	}
}

func TestFieldsSetReplacesAll(t *testing.T) {
	cases := []struct {
		before []string
		name   string
		want   string
	}{
		{nil, "X-A", "X-A: new"},
		{[]string{"B: 1"}, "X-A", "B: 1|X-A: new"},
		{[]string{"x-a: 1", "B: 1", "X-A: 2", "C: 1", "X-a: 3"}, "X-A", "x-a: new|B: 1|C: 1"},
		{[]string{"B: 1", "host: old"}, "Host", "B: 1|host: new"},
	}
	for _, c := range cases {
		f := fieldsOf(c.before...)
		f.Set(c.name, []byte("new"))
		if got := textOf(f); got != c.want {
			t.Errorf("%v gives %s, want %s", c.before, got, c.want)
		}
		if id := LookupName([]byte(c.name)); id != Unknown && string(f.Get(id)) != "new" {
			t.Errorf("%s is not found by its id", c.name)
		}
	}
}

func TestFieldsDelete(t *testing.T) {
	f := fieldsOf("TE: x", "A: 1", "te: y", "B: 2", "a: 3")
	if !f.DelID(TE) || f.DelID(TE) || textOf(f) != "A: 1|B: 2|a: 3" {
		t.Errorf("after DelID: %s", textOf(f))
	}
	if !f.Del("a") || f.Del("a") || textOf(f) != "B: 2" {
		t.Errorf("after Del: %s", textOf(f))
	}
}

func TestFieldsCopyWhatTheyAreGiven(t *testing.T) {
	f := &Fields{}
	value := []byte("first")
	f.Add("X-A", value)
	f.Set("X-B", value)
	f.AddID(Via, value)
	copy(value, "wrong")
	if got := textOf(f); got != "X-A: first|X-B: first|Via: first" {
		t.Errorf("fields %s", got)
	}
}

// Growing memory must not move or mix what was set before.
func TestFieldsStayWhenMemoryGrows(t *testing.T) {
	f := &Fields{}
	var want []string
	for i := range 500 {
		line := fmt.Sprintf("X-%d: %s", i, strings.Repeat("v", i))
		want = append(want, line)
		name, value, _ := strings.Cut(line, ": ")
		f.Add(name, []byte(value))
		f.Set("X-0", f.List()[0].Value) // from its own memory
	}
	if got := textOf(f); got != strings.Join(want, "|") {
		t.Error("fields changed")
	}
}

func TestFieldsResetForgetsViews(t *testing.T) {
	f := fieldsOf("A: 1", "B: 2")
	f.Reset()
	if f.Len() != 0 {
		t.Errorf("%d fields", f.Len())
	}
	for _, field := range f.list[:cap(f.list)] {
		if field.Name != nil || field.Value != nil {
			t.Errorf("%s is kept alive", field.Name)
		}
	}
}

func TestFieldsAllocateNothingOnceWarm(t *testing.T) {
	f := &Fields{}
	value := []byte("some value")
	run := func() {
		f.Reset()
		for range 20 {
			f.Add("X-Name", value)
		}
		f.AddID(Via, value)
		f.Set("X-Name", value)
		f.Del("Via")
	}
	run()
	if allocs := testing.AllocsPerRun(100, run); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestAMovedResponseDoesNotReferToWhereItWas(t *testing.T) {
	from := []byte("HTTP/1.1 200 OK\r\nServer: a\r\nX-Empty:\r\n\r\nbody")
	view := func(text string) []byte {
		i := bytes.Index(from, []byte(text))
		return from[i : i+len(text) : i+len(text)]
	}
	var r Response
	r.Reason = view("OK")
	r.Fields.Append(Server, view("Server"), view("a\r")[:1:1])
	r.Fields.Append(Unknown, view("X-Empty"), view("\r\n\r\n")[:0:0])
	r.Fields.Add("X-Own", []byte("own"))
	r.Fields.Append(Unknown, []byte("X-Other"), []byte("other"))
	head := from[:bytes.Index(from, []byte("body"))]
	r.Move(head, bytes.Clone(head))
	for i := range from {
		from[i] = '!'
	}
	var got []string
	for _, f := range r.Fields.List() {
		got = append(got, string(f.Name)+"="+string(f.Value))
	}
	if want := []string{"Server=a", "X-Empty=", "X-Own=own", "X-Other=other"}; !slices.Equal(got, want) || string(r.Reason) != "OK" {
		t.Errorf("%q, %q, want %q", r.Reason, got, want)
	}
	if v := r.Fields.List()[0].Value; cap(v) != 1 {
		t.Errorf("a value can grow over what is behind it: capacity %d", cap(v))
	}
}
