package main

import (
	"encoding/json"

	"pingap/config"
	"pingap/ipc"
)

// jsonFlag has a verb print JSON, of these fields.
func jsonFlag(fields string) flagSpec {
	return flagSpec{long: "json", set: on(func(o *options) *bool { return &o.json }), help: "Print JSON: " + fields}
}

// appliedFields are those of applied; a refusal has others.
const appliedFields = "version, sha, unchanged, class (same, hot, listeners or roll), changes (object, class), workers, took_ms, warnings; of a refusal message and errors."

// printJSON prints a value.
func (s surroundings) printJSON(value any) int {
	enc := json.NewEncoder(s.stdout)
	enc.SetIndent("", "  ")
	if err := enc.Encode(value); err != nil {
		return s.fail(err)
	}
	return exitDone
}

// applied is the JSON form of a change that is live.
type applied struct {
	Version   uint64       `json:"version"`
	SHA       string       `json:"sha"`
	Unchanged bool         `json:"unchanged"`
	Class     string       `json:"class"`
	Changes   []jsonChange `json:"changes"`
	Workers   int          `json:"workers"`
	Took      int64        `json:"took_ms"`
	Warnings  []string     `json:"warnings"`
}

func newApplied(a *ipc.Applied) applied {
	out := applied{Version: a.Version, SHA: a.SHA, Unchanged: a.Unchanged, Class: config.Class(highest(a.Changes)).String(), Changes: []jsonChange{}, Workers: a.Workers,
		Took: a.Took.Milliseconds(), Warnings: orEmpty(a.Warnings)}
	for _, c := range a.Changes {
		out.Changes = append(out.Changes, jsonChange{c.Object, config.Class(c.Class).String()})
	}
	return out
}

// refused is the JSON form of a refusal.
type refused struct {
	Message string   `json:"message"`
	Errors  []string `json:"errors"`
}

// jsonChange is one object of a change.
type jsonChange struct {
	Object string `json:"object"`
	Class  string `json:"class"` // same, hot, listeners or roll
}

// orEmpty makes JSON show [] where there is nothing.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
