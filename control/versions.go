package control

import (
	"time"

	"pingap/ipc"
)

// maxVersions is how many applied versions are remembered for status.
const maxVersions = 32

// version is one configuration that was made live.
type version struct {
	Number  uint64
	SHA     string
	At      time.Time
	By      string
	Changes int // objects
}

func (p *process) remember(v version) {
	p.versions = append(p.versions, v)
	if len(p.versions) > maxVersions {
		p.versions = p.versions[1:]
	}
}

// maxChanges bounds the changes that are named; the rest is one entry with
// their highest class.
const maxChanges = 300

func clipChanges(changes []ipc.Change) []ipc.Change {
	if len(changes) <= maxChanges {
		return changes
	}
	rest := ipc.Change{Object: more(len(changes) - maxChanges)}
	for _, c := range changes[maxChanges:] {
		rest.Class = max(rest.Class, c.Class)
	}
	return append(changes[:maxChanges:maxChanges], rest)
}
