package control

import (
	"pingap/config"
	"pingap/control/source"
	"pingap/ipc"
)

// Job is what a validate child has to do.
type Job struct {
	Location source.Location `json:"location"`
	Strict   bool            `json:"strict,omitempty"`
	// Threads and Workers of the command line win over the configuration's;
	// negative where not given.
	Threads int `json:"threads"`
	Workers int `json:"workers"`
	// Home replaces ~ in the paths of log files; Dir is what relative ones start at.
	Home string `json:"home,omitempty"`
	Dir  string `json:"dir,omitempty"`
	// Admin is the value of --admin, which has a password in it; empty for none.
	Admin string `json:"admin,omitempty"`
	// Watch asks whether the location can also be watched.
	Watch bool `json:"watch,omitempty"`
	// Documents, where there are any, were read by control, and are judged in place of what Location holds: a child does not reach out.
	Documents []source.Document `json:"documents,omitempty"`
}

// Verdict is what came out. With Errors there is no snapshot.
type Verdict struct {
	Errors []string `json:"errors,omitempty"` // file:line: key: what was expected
	// Problems are the errors that have a place, in their parts.
	Problems []config.Problem `json:"problems,omitempty"`
	Warnings []string         `json:"warnings,omitempty"`

	Digest string `json:"digest"` // of the documents as they were read
	SHA    string `json:"sha"`    // of the snapshot

	// Compared with the live snapshot; at boot everything is new and hot.
	Class   ipc.Class    `json:"class"`
	Changes []ipc.Change `json:"changes,omitempty"`
	// Reloaded and Diff are what people are told of the changes, without secrets.
	Reloaded []string `json:"reloaded,omitempty"`
	Diff     string   `json:"diff,omitempty"`
	// Heavy are the keys and servers because of which it is more than hot.
	Heavy []string `json:"heavy,omitempty"`

	Listeners []ipc.Listener  `json:"listeners"`
	Logs      []ipc.LogTarget `json:"logs"`
	Settings  ipc.Settings    `json:"settings"`
	Env       []string        `json:"env,omitempty"` // names of variables
	ErrorLog  string          `json:"error_log,omitempty"`
	ACME      bool            `json:"acme,omitempty"` // some certificate is to come from a CA
}

// Limits on what an answer about a configuration may hold, so that it fits
// into one message to a client.
const (
	maxLines    = 200
	maxLine     = 2 << 10  // bytes
	maxAllLines = 40 << 10 // bytes over errors and warnings
)

func shorten(line string) string {
	if len(line) > maxLine {
		return line[:maxLine] + "..."
	}
	return line
}

// clip bounds a list of messages and says what was left out.
func clip(lines []string, bytes int) []string {
	var out []string
	for i, line := range lines {
		line = shorten(line)
		bytes -= len(line)
		if i == maxLines || bytes < 0 {
			return append(out, more(len(lines)-i))
		}
		out = append(out, line)
	}
	return out
}
