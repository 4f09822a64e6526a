package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"pingap/control/acme"
	"pingap/control/inventory"
)

// errNothingLive is the answer before there is a configuration.
var errNothingLive = errors.New("nothing is live yet")

// certificates lists those of the configuration that is live.
func (c *client) certificates(ctx context.Context) (inventory.List, error) {
	file, err := c.liveSnapshot(ctx)
	if err != nil {
		return inventory.List{}, err
	}
	defer file.Close()
	_, s, err := readSnapshot(file)
	if err != nil {
		return inventory.List{}, err
	}
	all, err := inventory.Of(s)
	if err != nil {
		return inventory.List{}, err
	}
	states, problem := c.p.issuing.list()
	list := inventory.List{Certificates: all}
	if problem != nil {
		list.Problem = problem.Error()
	}
	if node := c.p.issuing.node; node != nil {
		s := node.State()
		list.Holder, list.Leading = s.Holder, s.Leading
		if s.Err != nil && list.Problem == "" {
			list.Problem = s.Err.Error()
		}
	}
	if c.p.opt.ACME.Disabled {
		list.Problem = "requests are switched off (PINGAP_DISABLE_ACME)"
	}
	for i := range list.Certificates {
		addState(&list.Certificates[i], states)
	}
	list.Count(time.Now())
	return list, nil
}

// addState adds how a certificate of a CA is.
func addState(d *inventory.Certificate, states []acme.Status) {
	n, found := slices.BinarySearchFunc(states, d.Name, func(s acme.Status, name string) int { return cmp.Compare(s.Name, name) })
	if !found {
		return
	}
	s := states[n]
	if !s.NotAfter.IsZero() {
		d.NotAfter = s.NotAfter
	}
	d.LastError, d.NextAttempt, d.Busy = s.LastError, s.NextAttempt, s.Busy
	for _, r := range s.Needs {
		d.Needs = append(d.Needs, inventory.Record{Name: r.Name, Value: r.Value})
	}
}

// liveSnapshot returns the snapshot that is live, for the caller to close.
func (c *client) liveSnapshot(ctx context.Context) (*os.File, error) {
	type copied struct {
		file *os.File
		err  error
	}
	known := make(chan copied, 1)
	c.p.post(ctx, func(context.Context) {
		if c.p.live.snapshot == nil {
			known <- copied{err: errNothingLive}
			return
		}
		file, err := duplicate(c.p.live.snapshot)
		known <- copied{file, err}
	})
	select {
	case k := <-known:
		return k.file, k.err
	case <-ctx.Done():
		return nil, errStopped
	}
}

// duplicate returns a snapshot that is the caller's to close.
func duplicate(snapshot *os.File) (*os.File, error) {
	fd, err := number(snapshot)
	if err == nil {
		fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("live snapshot: %w", err)
	}
	return os.NewFile(uintptr(fd), "live snapshot"), nil
}
