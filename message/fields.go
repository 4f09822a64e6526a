package message

import (
	"slices"
	"unsafe"
)

// Field is one header or trailer field as it came or as it will be sent.
type Field struct {
	// Name as received; a view, see the package comment.
	Name []byte
	// Value without surrounding white space; a view.
	Value []byte
	// ID is the well-known name, Unknown for any other.
	ID Name
	// NeverIndex says that the value came marked as one that no compression may keep (RFC 7541 section 6.2.3): it is sent on so.
	NeverIndex bool
}

// Fields is an ordered list of fields. The zero value is empty and ready.
type Fields struct {
	list []Field
	mem  []byte // append-only memory behind the fields set after parsing
}

// Reset empties the list and keeps its memory for the next use.
func (f *Fields) Reset() {
	clear(f.list) // no view may keep another buffer alive
	f.list = f.list[:0]
	f.mem = f.mem[:0]
}

// move makes the views into one memory views into a copy of it, which to is.
func (f *Fields) move(from, to []byte) {
	for i := range f.list {
		f.list[i].Name = moved(f.list[i].Name, from, to)
		f.list[i].Value = moved(f.list[i].Value, from, to)
	}
}

// moved is view in the copy, or view itself if it is none into the memory that was copied.
func moved(view, from, to []byte) []byte {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(view))) - uintptr(unsafe.Pointer(unsafe.SliceData(from)))
	if end := at + uintptr(len(view)); at < uintptr(len(from)) && end <= uintptr(len(to)) {
		return to[at:end:end]
	}
	return view
}

// CopyFrom makes f a copy of the list of other. The views are shared: other's memory must stay.
func (f *Fields) CopyFrom(other *Fields) {
	f.Reset()
	f.list = append(f.list, other.list...)
}

// Len returns the number of fields.
func (f *Fields) Len() int { return len(f.list) }

// List returns the fields in order. The slice is a view: valid until the next change.
func (f *Fields) List() []Field { return f.list }

// Append adds a field whose memory the caller guarantees until Reset: parsers (views into the
// head) and plugins (constants built once).
func (f *Fields) Append(id Name, name, value []byte) {
	n := len(f.list)
	if n == cap(f.list) {
		f.list = slices.Grow(f.list, 1)
	}
	f.list = f.list[:n+1]
	// Written where it stays: a literal would be made on the stack by small stores and copied by large loads, which must wait for them.
	to := &f.list[n]
	to.Name, to.Value, to.ID, to.NeverIndex = name, value, id, false
}

// AppendList adds fields whose memory the caller guarantees until Reset.
func (f *Fields) AppendList(list []Field) { f.list = append(f.list, list...) }

// Behind returns what was appended to a list that was the first; ok is false where one of its fields has been changed or removed.
func (f *Fields) Behind(list []Field) (rest []Field, ok bool) {
	if len(f.list) < len(list) {
		return nil, false
	}
	for i := range list {
		a, b := &list[i], &f.list[i]
		if unsafe.SliceData(a.Name) != unsafe.SliceData(b.Name) || unsafe.SliceData(a.Value) != unsafe.SliceData(b.Value) || len(a.Value) != len(b.Value) {
			return nil, false
		}
	}
	return f.list[len(list):], true
}

// Get returns the first value of a well-known field, nil if there is none; Unknown is no field's name.
func (f *Fields) Get(id Name) []byte {
	if id == Unknown {
		return nil
	}
	for i := range f.list {
		if f.list[i].ID == id {
			return f.list[i].Value
		}
	}
	return nil
}

// Has reports whether a well-known field is present, even with an empty value.
func (f *Fields) Has(id Name) bool {
	if id == Unknown {
		return false
	}
	for i := range f.list {
		if f.list[i].ID == id {
			return true
		}
	}
	return false
}

// Lookup returns the first value of the field called name (any case), and whether it is present.
func (f *Fields) Lookup(name string) ([]byte, bool) {
	if at := f.index(name, 0); at >= 0 {
		return f.list[at].Value, true
	}
	return nil, false
}

// Add appends a field, copying name and value. value is not checked: callers that take it from
// outside use ValidValue first.
func (f *Fields) Add(name string, value []byte) {
	n := f.keepString(name)
	f.Append(LookupName(n), n, f.keep(value))
}

// AddID appends a well-known field in its canonical spelling, copying the value.
func (f *Fields) AddID(id Name, value []byte) {
	f.Append(id, f.keepString(id.String()), f.keep(value))
}

// Set replaces the first field called name and removes any further one; it appends if there is none.
func (f *Fields) Set(name string, value []byte) {
	at := f.index(name, 0)
	if at < 0 {
		f.Add(name, value)
		return
	}
	f.list[at].Value = f.keep(value)
	f.drop(name, at+1)
}

// index returns where the first field called name is, from the given place on, -1 for none.
func (f *Fields) index(name string, from int) int {
	for i := from; i < len(f.list); i++ {
		if EqualFold(f.list[i].Name, name) {
			return i
		}
	}
	return -1
}

// drop removes every field called name from the given place on, and reports whether there was one.
func (f *Fields) drop(name string, from int) bool {
	at := f.index(name, from)
	if at < 0 {
		return false
	}
	kept := f.list[:at]
	for i := at + 1; i < len(f.list); i++ {
		if !EqualFold(f.list[i].Name, name) {
			kept = append(kept, f.list[i])
		}
	}
	return f.truncate(kept)
}

// Del removes every field called name, and reports whether there was one.
func (f *Fields) Del(name string) bool { return f.drop(name, 0) }

// DelID removes every field with a well-known name, and reports whether there was one.
func (f *Fields) DelID(id Name) bool {
	if id == Unknown {
		return false // it would take every field that is not well known
	}
	kept := f.list[:0]
	for i := range f.list {
		if f.list[i].ID != id {
			kept = append(kept, f.list[i])
		}
	}
	return f.truncate(kept)
}

// truncate takes kept, a prefix of the list's memory, as the new list.
func (f *Fields) truncate(kept []Field) bool {
	if len(kept) == len(f.list) {
		return false
	}
	clear(f.list[len(kept):])
	f.list = kept
	return true
}

// keep copies b into the list's own memory. Growth leaves earlier views on the old memory, which
// stays alive for as long as they do.
func (f *Fields) keep(b []byte) []byte {
	start := len(f.mem)
	f.mem = append(f.mem, b...)
	return f.mem[start:len(f.mem):len(f.mem)]
}

func (f *Fields) keepString(s string) []byte {
	start := len(f.mem)
	f.mem = append(f.mem, s...)
	return f.mem[start:len(f.mem):len(f.mem)]
}
