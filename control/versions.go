package control

import (
	"time"

	"pingap/ipc"
)

// maxVersions is how many applied versions are remembered for status.
const maxVersions = 32

// maxVersionChanges bounds the changes named for each of them.
const maxVersionChanges = 5

func (p *process) remember(by string, r *result, a *ipc.Applied) {
	p.versions = append(p.versions, ipc.AppliedVersion{Version: a.Version, SHA: a.SHA, At: time.Now(), By: by,
		Changes: clipChanges(r.Changes, maxVersionChanges)})
	if len(p.versions) > maxVersions {
		p.versions = p.versions[1:]
	}
}

// maxChanges bounds the changes that are named; the rest is one entry with
// their highest class.
const maxChanges = 300

func clipChanges(changes []ipc.Change, most int) []ipc.Change {
	if len(changes) <= most {
		return changes
	}
	rest := ipc.Change{Object: more(len(changes) - most)}
	for _, c := range changes[most:] {
		rest.Class = max(rest.Class, c.Class)
	}
	return append(changes[:most:most], rest)
}
