package control

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"pingap/control/source"
	"pingap/ipc"
)

// A configuration that is in etcd may be out of reach. What is live stays then, and a start takes the last good copy: the newest version
// that is kept, where that came from the same place. It stays live until the source can be read, and be made live, again.

// digestTime bounds how long something waits for a remote source that can do without.
const digestTime = time.Second

// remote is what the loop knows of a source that is reached over the network. The zero value is a source that is not.
type remote struct {
	*source.Remote        // nil for files
	lost           string // why the start took the last good copy; empty where it did not, and once the source is live again
	away           bool   // the source could not be read when the watcher said something last
}

func newRemote(l source.Location) remote {
	if !l.Remote() {
		return remote{}
	}
	return remote{Remote: source.NewRemote(l)}
}

// close is for the end of the process.
func (r *remote) close() {
	if r.Remote != nil {
		r.Close()
	}
}

// notes are for status.
func (r *remote) notes() []string {
	if r.lost == "" {
		return nil
	}
	return []string{"the start took the last good copy of the configuration: " + r.lost}
}

// who is the source of a proposal.
func (p *process) who() string {
	if p.remote.Remote != nil {
		return "etcd"
	}
	return "file"
}

// watchMode is what changes of the source do by themselves. What is in etcd is for many machines: nobody goes to each to reload it.
func (p *process) watchMode() Watch {
	if p.remote.Remote != nil && p.opt.Watch == WatchNone {
		return WatchHot
	}
	return p.opt.Watch
}

// fetched is the job with the documents of a remote source, for a child that is not to reach out. It blocks: not for the loop.
func (p *process) fetched(ctx context.Context, job Job) (Job, error) {
	if p.remote.Remote == nil {
		return job, nil
	}
	var err error
	job.Documents, err = p.remote.Read(ctx)
	return job, err
}

// digest names what the source holds now. It blocks.
func (p *process) digest(ctx context.Context, l source.Location) (string, error) {
	read := l.Read
	if p.remote.Remote != nil {
		ctx, cancel := context.WithTimeout(ctx, digestTime)
		defer cancel()
		read = func() ([]source.Document, error) { return p.remote.Read(ctx) }
	}
	docs, err := read()
	if err != nil {
		return "", err
	}
	return source.Digest(docs), nil
}

// fromCopy lets a start go on with the last good copy, and reports whether there is one.
func (p *process) fromCopy(ctx context.Context, batch []*request, lead *request, why string) bool {
	n := p.kept.newest
	if p.remote.Remote == nil || !lead.boot || lead.fallen || n == nil || !p.opt.Job.Location.SameAs(n.Source) {
		return false
	}
	p.remote.lost = shorten(fmt.Sprintf("%s; version %d of %s is live until that is over", why, n.Number, n.At.Local().Format(time.RFC3339)))
	p.log.Error("the configuration cannot be had from its source, the last good copy is loaded", zap.Uint64("version", n.Number), zap.String("reason", why))
	p.loadFor(ctx, batch, n.Number)
	return true
}

// holds reports whether what is live was rolled back to while the source held what the digest names.
func (p *process) holds(digest string) bool {
	n := p.kept.newest
	return p.live.copyOf != 0 && n != nil && n.Number == p.live.version && n.Held == digest
}

// missed has a change applied that came while there was no control process: other nodes have it.
func (p *process) missed(digest string) {
	if p.remote.Remote != nil && !p.holds(digest) {
		p.seen = ""
	}
}

// remoteChanged handles a report about a remote source.
func (p *process) remoteChanged(ctx context.Context, c source.Change) {
	if c.Err != nil {
		p.remote.away = true
		p.log.Warn("the configuration cannot be read from its source, what is live stays", zap.Error(c.Err))
		return
	}
	if p.remote.away {
		p.remote.away = false
		p.log.Info("the configuration can be read from its source again")
	}
	switch {
	case c.Digest == p.live.digest, p.holds(c.Digest):
		p.seen, p.remote.lost = c.Digest, ""
	case c.Digest == p.seen:
	default:
		p.seen = c.Digest
		limit := p.watchMode().limit()
		if p.remote.lost != "" {
			limit = ipc.ClassRoll // the start would have taken it as it is
		}
		p.ask(ctx, &request{by: "etcd", limit: limit})
	}
}
