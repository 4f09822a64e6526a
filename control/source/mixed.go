package source

import (
	"path/filepath"
	"strings"
)

// Mixed lists the documents that the layout of a directory, or of etcd, would not write, by their keys, if there are others that it would:
// what is written next to them may then say something a second time. A directory that is wholly somebody's own is not mixed.
func (l Location) Mixed(docs []Document) []string {
	layout, base := ByItem, "etcd:"+l.Etcd.Prefix()
	if !l.Remote() {
		var err error
		if layout, err = l.layout(); err != nil || l.Fixed() {
			return nil
		}
		base = l.Path + string(filepath.Separator)
	}
	var stale []string
	for _, d := range docs {
		if key := strings.TrimPrefix(d.Path, base); !layout.Canonical(key) {
			stale = append(stale, key)
		}
	}
	if len(stale) == len(docs) {
		return nil
	}
	return stale
}
