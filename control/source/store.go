package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pingap/control/source/etcd"
)

// Layout is how a configuration is cut into files or keys when it is written. Reading does not depend on it.
type Layout uint8

const (
	// Single is one file.
	Single Layout = iota
	// ByType is a file for each kind of object: servers.toml.
	ByType
	// ByItem is one for each object: servers/NAME.toml.
	ByItem
)

// Errors of a Store.
var (
	ErrConflict = errors.New("was changed by somebody else meanwhile")
	ErrName     = errors.New("invalid config name")
	ErrAway     = etcd.ErrAway // of one that did not answer, and may do so later
)

const (
	maxName     = 200 // bytes of a name that becomes that of a file
	keptItems   = 10  // former contents of an item that are kept
	basicTable  = "basic"
	keySuffix   = ".toml"
	historyTail = "-history"
)

// Item is one file or key of a configuration.
type Item struct {
	Key  string // "servers/web.toml"; of Single the name of the file
	Data []byte
	Rev  string // of this content, for Op
}

// Op is one wish of a Txn.
type Op struct {
	Key  string
	Data []byte // nil deletes
	Rev  string // that the item must have; empty for one that must not be there
}

// Former is what an item held before it was overwritten.
type Former struct {
	ID   string
	At   time.Time
	Data []byte
}

// Store is where a configuration is kept, to be written to. What Txn writes is whole or not there at all, item by item; many items
// at once are so in etcd only, and up to the size of its transactions. OpenStore makes one.
type Store interface {
	// Layout is the one that is written.
	Layout() Layout
	// List returns all items that Read would read, sorted by key.
	List(ctx context.Context) ([]Item, error)
	// Get returns one item, and false where it is not there.
	Get(ctx context.Context, key string) (Item, bool, error)
	// Txn writes and deletes items whose content is still what Rev says; otherwise it fails with ErrConflict. Where history is
	// wanted, what is overwritten is kept first. ErrDenied says that this process may not.
	Txn(ctx context.Context, ops ...Op) error
	// History returns what an item held before, newest first; nothing where no history is wanted.
	History(ctx context.Context, key string) ([]Former, error)
	Close()
}

// Put writes one item.
func Put(ctx context.Context, s Store, key string, data []byte, rev string) error {
	if data == nil {
		data = []byte{}
	}
	return s.Txn(ctx, Op{Key: key, Data: data, Rev: rev})
}

// Restore gives an item what it held before.
func Restore(ctx context.Context, s Store, key, id string) error {
	now, _, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	all, err := s.History(ctx, key)
	if err != nil {
		return err
	}
	for _, f := range all {
		if f.ID == id {
			return Put(ctx, s, key, f.Data, now.Rev)
		}
	}
	return fmt.Errorf("%s: %q is not kept", key, id)
}

// OpenStore opens a location for writing. A directory that is not there is made by the first Txn.
func OpenStore(ctx context.Context, l Location) (Store, error) {
	switch {
	case l.Fixed():
		return nil, l.Writable()
	case l.Remote():
		return openEtcd(ctx, l)
	}
	layout, err := l.layout()
	if err != nil {
		return nil, err
	}
	return &fileStore{loc: l, kind: layout}, nil
}

// Documents are what Read returns of a location that holds these items.
func (l Location) Documents(items []Item) []Document {
	dir := l.Path
	if layout, err := l.layout(); err == nil && layout == Single {
		dir = filepath.Dir(l.Path)
	}
	docs := make([]Document, 0, len(items))
	for _, i := range items {
		name := filepath.Join(dir, i.Key)
		if l.Remote() {
			name = "etcd:" + shown(l.Etcd.Prefix()+i.Key)
		}
		docs = append(docs, Document{Path: name, Data: i.Data})
	}
	slices.SortFunc(docs, func(a, b Document) int {
		if l.Remote() {
			return strings.Compare(a.Path, b.Path)
		}
		// A folder is read in the place of its name.
		return slices.Compare(strings.Split(a.Path, "/"), strings.Split(b.Path, "/"))
	})
	return docs
}

// KeyOf is the key of a document that Read returned.
func (l Location) KeyOf(document string) string {
	if l.Remote() {
		return strings.TrimPrefix(document, "etcd:"+shown(l.Etcd.Prefix()))
	}
	dir := l.Path
	if layout, err := l.layout(); err == nil && layout == Single {
		dir = filepath.Dir(l.Path)
	}
	key, err := filepath.Rel(dir, document)
	if err != nil {
		return document
	}
	return key
}

// layout decides how a path is written.
func (l Location) layout() (Layout, error) {
	info, err := os.Stat(l.Path)
	switch {
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return Single, explain(l.Path, err)
	case err == nil && !info.IsDir(), err != nil && filepath.Ext(l.Path) == keySuffix:
		return Single, nil
	case l.Separation:
		return ByItem, nil
	}
	return ByType, nil
}

// tables are the kinds of objects that have a file or folder.
func tables() []string {
	return []string{basicTable, "servers", "locations", "upstreams", "plugins", "certificates", "storages"}
}

// KeyOf is where a layout has an object: table and name, of basic without one.
func (y Layout) KeyOf(table, name string) (string, error) {
	if !slices.Contains(tables(), table) {
		return "", fmt.Errorf("%w: there is no table %.40q", ErrName, table)
	}
	if table != basicTable {
		if err := checkName(name); err != nil {
			return "", err
		}
	}
	if table == basicTable || y == ByType {
		return table + keySuffix, nil
	}
	return table + "/" + name + keySuffix, nil
}

// checkName refuses names that could lead elsewhere as those of files. A dot in front would hide the file from Read.
func checkName(name string) error {
	if name == "" || len(name) > maxName || name[0] == '.' || strings.ContainsAny(name, "/\\\x00") {
		return fmt.Errorf("%w: %.*q", ErrName, maxName, name)
	}
	return nil
}

// Canonical reports whether a layout itself would write a key. Of Single every key is.
func (y Layout) Canonical(key string) bool {
	if y == Single {
		return true
	}
	table, name, item := strings.Cut(strings.TrimSuffix(key, keySuffix), "/")
	if !strings.HasSuffix(key, keySuffix) || !slices.Contains(tables(), table) {
		return false
	}
	if !item {
		return y == ByType || table == basicTable
	}
	return y == ByItem && table != basicTable && checkName(name) == nil
}
