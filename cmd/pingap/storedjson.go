package main

import (
	"time"

	"pingap/control/source"
	"pingap/control/transfer"
)

// What the words of config print as JSON that are about a source. source is where -c leads, without a password.

// jsonExport is what is stored at a source.
type jsonExport struct {
	Source string `json:"source"`
	Config string `json:"config"` // TOML, secrets included
}

// jsonWritten is what an import wrote.
type jsonWritten struct {
	Source  string   `json:"source"`
	Written []string `json:"written"` // keys
	Kept    []string `json:"kept"`    // keys that the source holds besides
}

// jsonMigrated is what a migration took out of the configuration, having written it anew.
type jsonMigrated struct {
	Source   string        `json:"source"`
	Migrated []jsonRetired `json:"migrated"`
}

type jsonRetired struct {
	Key     string `json:"key"`
	Renamed string `json:"renamed_to"` // empty where it is kept in the history
}

func newJSONMigrated(loc source.Location, done []transfer.Retired) jsonMigrated {
	out := jsonMigrated{loc.String(), []jsonRetired{}}
	for _, r := range done {
		out.Migrated = append(out.Migrated, jsonRetired{r.Key, r.Aside})
	}
	return out
}

// jsonKept is what an item held before, newest first.
type jsonKept struct {
	Source string       `json:"source"`
	Key    string       `json:"key"`
	Kept   []jsonFormer `json:"kept"`
}

type jsonFormer struct {
	ID   string    `json:"id"` // for restore
	At   time.Time `json:"at"`
	Size int       `json:"size"` // bytes
}

func newJSONKept(loc source.Location, key string, all []source.Former) jsonKept {
	out := jsonKept{loc.String(), key, []jsonFormer{}}
	for _, f := range all {
		out.Kept = append(out.Kept, jsonFormer{f.ID, f.At, len(f.Data)})
	}
	return out
}

// jsonRestored is an item that has what it held before.
type jsonRestored struct {
	Source string `json:"source"`
	Key    string `json:"key"`
	ID     string `json:"id"`
}
