package control

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/config"
	"pingap/control/history"
	"pingap/ipc"
)

// keepTime bounds how long an answer waits for the disk that its version is kept on.
const keepTime = 5 * time.Second

// kept is what the loop knows of the versions that are kept.
type kept struct {
	store   *history.Store   // nil without a state directory
	newest  *history.Version // that is whole; nil for none
	highest uint64           // number that was ever given, as far as that is known
	problem string           // why versions are not kept now
	fallen  string           // why the start took the source in place of what had been rolled back to
}

func (k *kept) close() {
	if k.store == nil {
		return
	}
	_ = k.store.Close() // only ever reads from here on
}

// notes are for status.
func (k *kept) notes() []string {
	var notes []string
	if k.problem != "" {
		notes = append(notes, "configurations are not kept for rollback: "+k.problem)
	}
	if k.fallen != "" {
		notes = append(notes, k.fallen)
	}
	return notes
}

// takeVersions takes what the supervisor opened in the state directory.
func (p *process) takeVersions(m *ipc.Message, given *ipc.ControlStart) error {
	p.stateDir = given.StateDir
	if len(given.Versions) != len(p.given) {
		return nil
	}
	if err := secretive(); err != nil {
		return err
	}
	for i, slot := range given.Versions {
		fd, err := m.Take(slot)
		if err != nil {
			return fmt.Errorf("kept versions: %w", err)
		}
		p.given[i] = os.NewFile(uintptr(fd), "versions")
	}
	return nil
}

// secretive keeps keys for this process: nobody else with its user may look into its memory, workers least of all.
func secretive() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("close this process to others: %w", err)
	}
	return nil
}

// openStore opens what is kept, in whichever way this process may.
func (p *process) openStore() (*history.Store, error) {
	if p.given[0] != nil {
		return history.Adopt(p.given[0], p.given[1], p.log)
	}
	return history.New(p.stateDir, p.log)
}

// recall looks at what is kept, before anything is loaded.
func (p *process) recall(ctx context.Context) {
	if p.stateDir == "" {
		close(p.recalled)
		p.begin(ctx)
		return
	}
	p.loading = true
	p.wg.Go(func() {
		var k kept
		var err error
		if k.store, err = p.openStore(); err == nil {
			k.newest, k.highest, err = k.store.Newest()
		}
		p.post(ctx, func(ctx context.Context) {
			p.kept, p.loading = k, false
			close(p.recalled)
			p.keepFailed(err)
			p.begin(ctx)
		})
	})
}

func (p *process) keepFailed(err error) {
	if err == nil {
		p.kept.problem = ""
		return
	}
	p.kept.problem = err.Error()
	p.log.Warn("configurations are not kept for rollback", zap.Error(err))
}

// lowest is the lowest number that the next version may get. What was live before a restart and is again keeps its number.
func (p *process) lowest(sha string) uint64 {
	n := p.kept.newest
	if p.live.sha == "" && n != nil && n.SHA == sha && n.Number == p.kept.highest {
		return n.Number
	}
	return p.kept.highest + 1
}

// keep writes down what has become live, and goes on with then, at the latest after keepTime. A disk that is full, or slow,
// or gone costs the history, never the change.
func (p *process) keep(ctx context.Context, r *result, a *ipc.Applied, lead *request, then func(context.Context)) {
	p.kept.highest = max(p.kept.highest, a.Version)
	store := p.kept.store
	if store == nil || r.empty {
		then(ctx)
		return
	}
	v := history.Version{Number: a.Version, SHA: a.SHA, At: time.Now(), By: lead.by, Build: p.opt.Build,
		Source: p.opt.Job.Location.String(), Digest: r.Digest, CopyOf: p.live.copyOf}
	switch {
	case r.kept != nil:
		v.Source, v.Held = r.kept.Source, r.held
	case r.again != nil:
		v.Source, v.Held = r.again.Source, r.again.Held
	}
	ended := false // belongs to the loop
	end := func(ctx context.Context) {
		if !ended {
			ended = true
			then(ctx)
		}
	}
	late := time.AfterFunc(keepTime, func() { p.post(ctx, end) })
	snapshot, last := r.snapshot, p.remote.Remote != nil
	p.wg.Go(func() {
		most, err := save(store, v, snapshot, last)
		late.Stop()
		p.post(ctx, func(ctx context.Context) {
			p.keepFailed(err)
			p.kept.saved(v, most, err)
			end(ctx)
		})
	})
}

// saved notes the newest version. One that was there already keeps its own description.
func (k *kept) saved(v history.Version, most int, err error) {
	switch {
	case err != nil:
	case most == 0:
		k.newest = nil
	case k.newest == nil || v.Number > k.newest.Number:
		k.newest = &v
	}
}

// save keeps a version with what changed against the one that was kept before it. It returns how many are.
func save(store *history.Store, v history.Version, file *os.File, last bool) (most int, err error) {
	data, snapshot, err := readSnapshot(file)
	if err != nil {
		return 0, err
	}
	basic, err := snapshot.Basic()
	if err != nil {
		return 0, err
	}
	changes, err := difference(predecessor(store, v.Number), snapshot)
	if err != nil {
		return 0, err
	}
	v.Changes, v.More = history.Clip(history.Describe(changes))
	most = basic.ConfigHistory
	if last {
		most = max(1, most) // what a start takes when the source is out of reach
	}
	bare, sum, err := snapshot.WithoutContents()
	if err != nil {
		return 0, err
	}
	if bare != nil {
		data, v.Stored = bare, sum.String()
	}
	return most, store.Add(v, data, most)
}

// predecessor opens the newest version before one; nil where there is none that this build can read.
func predecessor(store *history.Store, number uint64) *config.Snapshot {
	newest, _, err := store.Newest()
	if err != nil || newest == nil || newest.Number >= number {
		return nil
	}
	_, snapshot, err := store.Read(newest.Number)
	if err != nil {
		return nil
	}
	if _, err := snapshot.Config(); err != nil {
		return nil
	}
	return snapshot
}
