package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"pingap/control/source"
	"pingap/ipc"
)

// ownTime is the longest that status waits for control's own loop: the rest is worth an answer.
const ownTime = 3 * time.Second

// status is the supervisor's status with what only control knows.
func (c *client) status(ctx context.Context) ipc.Body {
	answer := c.relay(ctx, ipc.StatusRequest{}, answerTime)
	all, ok := answer.(*ipc.StatusAll)
	if !ok {
		return answer
	}
	for i := range all.Processes {
		addMemory(&all.Processes[i])
	}
	own := make(chan ownStatus, 1)
	c.p.post(ctx, func(context.Context) { own <- c.p.ownStatus() })
	select {
	case o := <-own:
		all.Versions = o.versions
		all.Source = &o.source
		all.Notes = append(append(all.Notes, o.notes...), c.p.issuing.notes(time.Now())...)
		all.Notes = append(all.Notes, c.p.backends.Notes()...)
		all.Notes = append(all.Notes, c.p.telling.bus.Notes()...)
		c.compare(&o.source, o.digest)
	case <-time.After(ownTime):
		all.Notes = append(all.Notes, "control is busy: what it knows of source and versions is left out")
	case <-ctx.Done():
	}
	return all
}

// ownStatus is what the loop knows.
type ownStatus struct {
	source   ipc.Source
	versions []ipc.AppliedVersion
	notes    []string
	digest   string // of the documents that are live; empty while not known
}

func (p *process) ownStatus() ownStatus {
	return ownStatus{
		source: ipc.Source{Location: p.opt.Job.Location.String(), Watch: p.watchMode().String(),
			Loaded: p.lastLoad.at, By: p.lastLoad.by, Refused: p.lastLoad.err, Rollback: p.live.copyOf},
		versions: slices.Clone(p.versions),
		notes:    slices.Concat(p.root.notes(), p.kept.notes(), p.remote.notes()),
		digest:   p.live.digest,
	}
}

// sourceDigest names what the source holds. Of a remote one it is what the watcher saw last: status waits for nobody.
func (p *process) sourceDigest() (string, error) {
	if p.remote.Remote != nil {
		s := p.remote.State()
		if s.Digest == "" && s.Err == nil {
			return "", errors.New("it has not been looked at yet")
		}
		return s.Digest, s.Err
	}
	docs, err := p.opt.Job.Location.Read()
	return source.Digest(docs), err
}

// compare reads the source as it is now. One client at a time: it may be large.
func (c *client) compare(s *ipc.Source, digest string) {
	c.p.reading.Lock()
	defer c.p.reading.Unlock()
	now, err := c.p.sourceDigest()
	if err != nil {
		s.Error = err.Error()
		return
	}
	if s.Differs = now != digest; !s.Differs {
		s.Rollback = 0 // the source is the same as what was rolled back to
	}
}

// addMemory fills in the resident memory of a process that does not report it
// itself. What cannot be read stays 0.
func addMemory(p *ipc.Process) {
	if p.Status != nil && p.Status.RSS > 0 {
		return
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.PID))
	if err != nil {
		return
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return
	}
	if p.Status == nil {
		p.Status = &ipc.Status{}
	}
	p.Status.RSS = pages * int64(os.Getpagesize())
}
