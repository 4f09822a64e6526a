package history

import (
	"fmt"
	"time"

	"pingap/config"
)

// Version says everything about a configuration that was live but its contents.
type Version struct {
	Number uint64    `json:"number"`
	SHA    string    `json:"sha"`
	At     time.Time `json:"at"`
	By     string    `json:"by"`              // who asked: start, SIGHUP, "reload by uid 0 pid 4711"
	Source string    `json:"source"`          // where it was loaded from
	Digest string    `json:"digest"`          // of the documents it was made of
	Build  string    `json:"build,omitempty"` // Go build id of the control process that applied it

	// CopyOf is the version that this one has the contents of, which was rolled back to; 0 for none. Held is then the digest
	// of the source at that time: it stays live until the source has another.
	CopyOf uint64 `json:"copy_of,omitempty"`
	Held   string `json:"held,omitempty"`

	Changes []Change `json:"changes"`        // against what was live before
	More    int      `json:"more,omitempty"` // objects that were left out of Changes

	Size int64 `json:"size"` // of the snapshot in bytes
	// Stored is the hash of the snapshot as it is kept, where that is without what files hold that it names; else it is SHA.
	Stored string `json:"stored,omitempty"`
}

// Change is what happened to one object.
type Change struct {
	Object string `json:"object"` // upstream:api
	Op     string `json:"op"`     // added, changed or removed
	Class  string `json:"class"`  // same, hot, listeners or roll
	Keys   []Key  `json:"keys,omitempty"`
}

// Key is a key that changed. Old and New are as TOML writes them, secrets redacted; empty is the default.
type Key struct {
	Key string `json:"key"`
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
}

// Describe puts a difference into words.
func Describe(changes config.Changes) []Change {
	list := []Change{}
	for i := range changes {
		c := &changes[i]
		change := Change{Object: c.Object(), Op: word(c.Op), Class: c.Class.String()}
		for _, k := range c.Keys {
			change.Keys = append(change.Keys, Key{Key: k.Key, Old: k.Old, New: k.New})
		}
		list = append(list, change)
	}
	return list
}

func word(op config.Op) string {
	switch op {
	case config.Added:
		return "added"
	case config.Removed:
		return "removed"
	}
	return "changed"
}

// Limits on the changes that are kept with a version: the whole difference is made again when it is asked for.
const (
	maxObjects = 200
	maxKeys    = 300 // over all objects
	maxText    = 200 // bytes of a name or value
)

// Clip bounds a list of changes, and says how many objects were left out.
func Clip(list []Change) (clipped []Change, more int) {
	clipped = []Change{}
	left := maxKeys
	for i, c := range list {
		if i == maxObjects || left == 0 {
			return clipped, len(list) - i
		}
		keys := c.Keys[:min(len(c.Keys), left)]
		left -= len(keys)
		c.Object, c.Keys = clip(c.Object), nil
		for _, k := range keys {
			c.Keys = append(c.Keys, Key{clip(k.Key), clip(k.Old), clip(k.New)})
		}
		clipped = append(clipped, c)
	}
	return clipped, 0
}

func clip(text string) string {
	if len(text) > maxText {
		return fmt.Sprintf("%.*s…", maxText, text)
	}
	return text
}

// List is what `pingap config list` shows.
type List struct {
	Live     uint64    `json:"live"`     // number of the version that is live; it may not be among those kept
	Versions []Version `json:"versions"` // oldest first
}

// Text is what `pingap config show` shows.
type Text struct {
	Version
	Config string `json:"config"` // as TOML
}

// Diff is what `pingap config diff` shows.
type Diff struct {
	From    uint64   `json:"from"`
	To      uint64   `json:"to"`
	Changes []Change `json:"changes"`
}
