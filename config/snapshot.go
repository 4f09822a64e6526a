package config

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A snapshot is what workers get in place of the documents: defaults and includes
// resolved, keys without effect and storages left out, every object under its own hash.
// A worker lists the hashes and decodes only the objects it does not know yet.
//
//	magic | sha256 of all that follows | count | index | objects
//	index entry: kind, name, sha256 of the object, length
//	object:      key and value of every key that has not its default, in order of the tree
//
// It holds secrets in the clear: it belongs into a sealed memfd, not into a log.

// Sha is the sha256 of an object or of a whole snapshot.
type Sha [sha256.Size]byte

// String is the sum in hexadecimal.
func (s Sha) String() string { return hex.EncodeToString(s[:]) }

const (
	snapshotMagic = "PGS1"
	// What most objects need, in bytes; more is made room for.
	usualIndexEntry = 1 + 16 + sha256.Size + 2
	usualObject     = 128
)

// paramsKey holds a plugin's parameters, and the files of any other object; no TOML key of a table is empty in a snapshot.
const paramsKey = ""

// ErrNoObject is returned for names that a snapshot does not hold.
var ErrNoObject = errors.New("no such object in the snapshot")

// Object is one line of a snapshot's index. Equal Sha means equal kind, name and content.
type Object struct {
	Kind Kind
	Name string
	Sha  Sha
}

// Encode writes the snapshot of a configuration and its hash. Equal configurations give
// equal bytes.
func Encode(c *Config) ([]byte, Sha) {
	s := newSchema()
	count := 1 + len(c.Servers) + len(c.Locations) + len(c.Upstreams) + len(c.Plugins) + len(c.Certificates)
	index := make([]byte, 0, count*usualIndexEntry)
	data := make([]byte, 0, count*usualObject)
	var hashed []byte // kind, name and content of one object
	add := func(kind Kind, name string, object any) {
		hashed = appendText(append(hashed[:0], byte(kind)), name)
		head := len(hashed)
		hashed = s[kind].appendObject(hashed, object)
		sum := sha256.Sum256(hashed)
		index = append(append(index, hashed[:head]...), sum[:]...)
		index = binary.AppendUvarint(index, uint64(len(hashed)-head))
		data = append(data, hashed[head:]...)
	}
	add(KindBasic, "", &c.Basic)
	addAll(add, KindServer, c.Servers)
	addAll(add, KindLocation, c.Locations)
	addAll(add, KindUpstream, c.Upstreams)
	addAll(add, KindPlugin, c.Plugins)
	addAll(add, KindCertificate, c.Certificates)

	out := make([]byte, len(snapshotMagic)+sha256.Size, len(snapshotMagic)+sha256.Size+binary.MaxVarintLen64+len(index)+len(data))
	copy(out, snapshotMagic)
	body := len(out)
	out = binary.AppendUvarint(out, uint64(count))
	out = append(append(out, index...), data...)
	sum := Sha(sha256.Sum256(out[body:]))
	copy(out[len(snapshotMagic):], sum[:])
	return out, sum
}

func addAll[V any](add func(Kind, string, any), kind Kind, objects map[string]V) {
	for _, name := range sortedKeys(objects) {
		add(kind, name, objects[name])
	}
}

// appendObject writes the keys that matter at run time and have not their default.
func (t *Table) appendObject(b []byte, pointer any) []byte {
	object := reflect.ValueOf(pointer).Elem()
	for i := range t.Keys {
		k := &t.Keys[i]
		field := object.Field(k.field)
		if k.Class == Same || k.isDefault(field) {
			continue
		}
		b = appendField(appendText(b, k.Name), field)
	}
	if p, ok := pointer.(*Plugin); ok && len(p.Params) > 0 {
		b = appendValue(appendText(b, paramsKey), p.Params)
	}
	if f := filesOf(pointer); f != nil && len(*f) > 0 {
		b = appendValue(appendText(b, paramsKey), f.plain())
	}
	return b
}

// appendField writes the value of a field as appendValue would.
func appendField(b []byte, field reflect.Value) []byte {
	switch field.Kind() {
	case reflect.String:
		return appendText(append(b, tagString), field.String())
	case reflect.Bool:
		return appendValue(b, field.Bool())
	case reflect.Slice:
		b = binary.AppendUvarint(append(b, tagList), uint64(field.Len()))
		for i := range field.Len() {
			b = appendText(append(b, tagString), field.Index(i).String())
		}
		return b
	}
	return binary.AppendVarint(append(b, tagInt), field.Int())
}

// Snapshot gives access to an encoded configuration. It is read-only and may be used by
// several goroutines.
type Snapshot struct {
	sha     Sha
	objects []Object
	data    [][]byte
	schema  *schema
}

// OpenSnapshot checks the hash and reads the index. The snapshot refers to data, which
// must stay as it is; decoded objects do not refer to it.
func OpenSnapshot(data []byte) (*Snapshot, error) {
	r := &reader{data: data}
	if string(r.take(len(snapshotMagic))) != snapshotMagic {
		return nil, fmt.Errorf("%w: it does not start with %s", ErrSnapshot, snapshotMagic)
	}
	s := &Snapshot{schema: newSchema()}
	copy(s.sha[:], r.take(len(s.sha)))
	if r.err != nil {
		return nil, r.err
	}
	if s.sha != sha256.Sum256(r.data) {
		return nil, fmt.Errorf("%w: its sha256 does not fit", ErrSnapshot)
	}
	return s, s.readIndex(r)
}

// minIndexEntry is kind, empty name, hash and length.
const minIndexEntry = 1 + 1 + sha256.Size + 1

func (s *Snapshot) readIndex(r *reader) error {
	count := r.length(minIndexEntry)
	s.objects = make([]Object, count)
	lengths := make([]int, count)
	for i := range s.objects {
		o := &s.objects[i]
		o.Kind = Kind(r.tag())
		o.Name = r.text()
		copy(o.Sha[:], r.take(len(o.Sha)))
		lengths[i] = r.length(1)
		if o.Kind >= KindStorage {
			r.fail("an object has an unknown kind")
		}
		if i > 0 && compareObjects(s.objects[i-1], *o) >= 0 {
			r.fail("the index is not in order")
		}
	}
	s.data = make([][]byte, count)
	for i, n := range lengths {
		s.data[i] = r.take(n)
	}
	if r.err == nil && len(r.data) > 0 {
		r.fail("something follows its end")
	}
	return r.err
}

func compareObjects(a, b Object) int {
	if a.Kind != b.Kind {
		return int(a.Kind) - int(b.Kind)
	}
	return strings.Compare(a.Name, b.Name)
}

// Sha identifies the whole configuration.
func (s *Snapshot) Sha() Sha { return s.sha }

// Objects lists everything, ordered by kind and name. Callers must not change it.
func (s *Snapshot) Objects() []Object { return s.objects }

// Find gives the index line of one object. The name of basic is empty.
func (s *Snapshot) Find(kind Kind, name string) (Object, bool) {
	if i, ok := s.find(kind, name); ok {
		return s.objects[i], true
	}
	return Object{}, false
}

func (s *Snapshot) find(kind Kind, name string) (int, bool) {
	return slices.BinarySearchFunc(s.objects, Object{Kind: kind, Name: name}, compareObjects)
}

// Basic decodes the table [basic].
func (s *Snapshot) Basic() (*Basic, error) { return decodeObject(s, KindBasic, "", &Basic{}) }

// Server decodes one server.
func (s *Snapshot) Server(name string) (*Server, error) {
	return decodeObject(s, KindServer, name, &Server{Name: name})
}

// Location decodes one location.
func (s *Snapshot) Location(name string) (*Location, error) {
	return decodeObject(s, KindLocation, name, &Location{Name: name})
}

// Upstream decodes one upstream.
func (s *Snapshot) Upstream(name string) (*Upstream, error) {
	return decodeObject(s, KindUpstream, name, &Upstream{Name: name})
}

// Plugin decodes one plugin.
func (s *Snapshot) Plugin(name string) (*Plugin, error) {
	return decodeObject(s, KindPlugin, name, &Plugin{Name: name, Params: map[string]any{}})
}

// Certificate decodes one certificate.
func (s *Snapshot) Certificate(name string) (*Certificate, error) {
	return decodeObject(s, KindCertificate, name, &Certificate{Name: name})
}

func decodeObject[T any](s *Snapshot, kind Kind, name string, object *T) (*T, error) {
	i, ok := s.find(kind, name)
	if !ok {
		return nil, fmt.Errorf("%w: %s %q", ErrNoObject, kind, name)
	}
	if err := s.schema[kind].readObject(s.data[i], object); err != nil {
		return nil, fmt.Errorf("decode %s %q: %w", kind, name, err)
	}
	return object, nil
}

func (t *Table) readObject(data []byte, pointer any) error {
	object := reflect.ValueOf(pointer).Elem()
	t.setDefaults(object)
	r := &reader{data: data}
	for r.err == nil && len(r.data) > 0 {
		name := r.text()
		v := r.value(0)
		if p, ok := pointer.(*Plugin); ok && name == paramsKey {
			if p.Params, ok = v.(map[string]any); !ok {
				r.fail("parameters are not a table")
			}
			continue
		}
		if f := filesOf(pointer); f != nil && name == paramsKey {
			var err error
			if *f, err = restoreFiles(v); err != nil {
				r.fail(err.Error())
			}
			continue
		}
		if k := t.key(name); k == nil || !k.restore(object.Field(k.field), v) {
			r.fail("key " + clip(name) + " is unknown or has the wrong type")
		}
	}
	return r.err
}

// restore stores a decoded value when its type fits the field.
func (k *Key) restore(field reflect.Value, v any) bool {
	kind := field.Kind()
	switch v := v.(type) {
	case string:
		if kind == reflect.String {
			field.SetString(v)
			return true
		}
	case int64:
		if field.CanInt() {
			field.SetInt(v)
			return true
		}
	case bool:
		if kind == reflect.Bool {
			field.SetBool(v)
			return true
		}
	case []any:
		list, wrong := convertList(v)
		if wrong == nil && kind == reflect.Slice {
			field.Set(reflect.ValueOf(list))
			return true
		}
	}
	return false
}

// Config decodes everything. Storages and keys without effect are not in a snapshot.
func (s *Snapshot) Config() (*Config, error) {
	c := newConfig(s.schema)
	for _, o := range s.objects {
		if err := s.decodeInto(c, o); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (s *Snapshot) decodeInto(c *Config, o Object) (err error) {
	switch o.Kind {
	case KindBasic:
		var basic *Basic
		if basic, err = s.Basic(); err == nil {
			c.Basic = *basic
		}
	case KindServer:
		c.Servers[o.Name], err = s.Server(o.Name)
	case KindLocation:
		c.Locations[o.Name], err = s.Location(o.Name)
	case KindUpstream:
		c.Upstreams[o.Name], err = s.Upstream(o.Name)
	case KindPlugin:
		c.Plugins[o.Name], err = s.Plugin(o.Name)
	case KindCertificate:
		c.Certificates[o.Name], err = s.Certificate(o.Name)
	}
	return err
}
