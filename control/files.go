package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/control/source"
	"pingap/ipc"
)

// Files that the live configuration names (certificates, keys, CAs) are watched, with or without --autoreload: who renews a
// certificate need not tell us. When one has changed, what is live is loaded again as a rollback would load it, so that the
// files are read and judged, and nothing else of the source comes along.

const (
	// liveVersion stands for the live configuration where a number of a version is wanted.
	liveVersion = math.MaxUint64
	// refreshAgain is when a refresh is tried again that failed for want of something.
	refreshAgain = time.Minute
)

// files is what the loop knows of files that the live configuration names.
type files struct {
	sha   string   // of the configuration they belong to
	paths []string // watched now
	live  string   // digest of what is live
	seen  string   // digest of what was reported last
	stop  context.CancelFunc
}

// watchFiles finds out what files are live and watches them, when another configuration has become live.
func (p *process) watchFiles(ctx context.Context) {
	if p.files.sha == p.live.sha || p.live.snapshot == nil {
		return
	}
	p.files.sha = p.live.sha
	sha, snapshot := p.live.sha, p.live.snapshot
	p.wg.Go(func() {
		all, err := filesOf(snapshot)
		p.post(ctx, func(ctx context.Context) {
			switch {
			case p.files.sha != sha: // another one is live by now
			case err != nil:
				p.log.Error("certificate files are not watched", zap.Error(err))
			default:
				p.follow(ctx, all)
			}
		})
	})
}

// filesOf lists the files that a snapshot names.
func filesOf(snapshot *os.File) ([]config.File, error) {
	_, open, err := readSnapshot(snapshot)
	if err != nil {
		return nil, err
	}
	return open.AllFiles()
}

// readSnapshot reads a snapshot that is live or about to be.
func readSnapshot(file *os.File) ([]byte, *config.Snapshot, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("snapshot: %w", err)
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(io.NewSectionReader(file, 0, info.Size()), data); err != nil {
		return nil, nil, fmt.Errorf("snapshot: %w", err)
	}
	open, err := config.OpenSnapshot(data)
	return data, open, err
}

// follow watches these files from now on. Its goroutine ends with ctx, or when others are to be watched.
func (p *process) follow(ctx context.Context, all []config.File) {
	var paths []string
	for _, f := range all {
		paths = append(paths, f.Path)
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	p.files.live = source.FoundDigest(all)
	if slices.Equal(paths, p.files.paths) {
		return
	}
	if p.files.stop != nil {
		p.files.stop()
	}
	p.files.paths, p.files.seen, p.files.stop = paths, "", nil
	if len(paths) == 0 {
		return
	}
	watching, stop := context.WithCancel(ctx)
	p.files.stop = stop
	p.wg.Go(func() {
		err := source.Watcher{Files: paths}.Run(watching, func(c source.Change) {
			p.post(watching, func(ctx context.Context) { p.filesChanged(ctx, watching, c.Digest) })
		})
		if err != nil {
			p.log.Error("certificate files are not watched any more", zap.Error(err))
		}
	})
}

// filesChanged handles a report about the files.
func (p *process) filesChanged(ctx, watching context.Context, digest string) {
	if watching.Err() != nil {
		return // others are watched by now
	}
	known := digest == p.files.live || digest == p.files.seen
	p.files.seen = digest
	if !known {
		p.refresh(ctx)
	}
}

// refresh has the live configuration loaded again.
func (p *process) refresh(ctx context.Context) {
	p.ask(ctx, &request{by: "certificate files", limit: ipc.ClassHot, version: liveVersion, done: func(body ipc.Body) {
		if why, ok := body.(*ipc.Refused); ok && why.Code != ipc.CodeInvalid {
			time.AfterFunc(refreshAgain, func() { p.post(ctx, p.refreshLate) })
		}
	}})
}

// refreshLate tries again, if that is wanted still.
func (p *process) refreshLate(ctx context.Context) {
	if p.files.seen != "" && p.files.seen != p.files.live {
		p.refresh(ctx)
	}
}

// loadLive has the live configuration judged as a load of the source would be.
func (p *process) loadLive(ctx context.Context, job Job, live *os.File) (*result, error) {
	if live == nil {
		return nil, errors.New("nothing is live")
	}
	_, snapshot, err := readSnapshot(live)
	if err != nil {
		return nil, err
	}
	cfg, err := snapshot.Config()
	if err != nil {
		return nil, err
	}
	job.Location = source.Memory("live configuration", string(config.Write(cfg, true)))
	r, err := p.check.run(ctx, job, live, nil)
	if err != nil {
		return nil, err
	}
	r.refreshed = true
	return r, nil
}

// refreshed keeps what was known of the live configuration: where it came from has not changed.
func (p *process) refreshed(before live, r *result) {
	p.live.digest, p.live.copyOf = before.digest, before.copyOf
	r.Digest = before.digest
	if n := p.kept.newest; n != nil && n.Number == before.version {
		r.again = n
	}
}
