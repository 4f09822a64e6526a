package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"pingap/config"
	"pingap/control/history"
	"pingap/ipc"
)

// document is what a client is reading, in parts.
type document struct {
	of   ipc.ConfigRead // without its offset
	data []byte
}

// errSecrets is the answer to who may not see them.
var errSecrets = errors.New("secrets are shown to root and to the user that control runs as, nobody else")

// read answers with a part of a document. It is made once, for its first part.
func (c *client) read(ctx context.Context, b ipc.ConfigRead) ipc.Body {
	offset := b.Offset
	b.Offset = 0
	if offset == 0 {
		data, err := c.document(ctx, b)
		if err != nil {
			return failure(err)
		}
		c.reading = document{of: b, data: data}
	}
	d := c.reading
	if d.of != b || offset < 0 || offset > len(d.data) {
		return &ipc.Refused{Code: ipc.CodeInvalid, Reason: fmt.Sprintf("there is no part at %d of what is being read", offset)}
	}
	part := d.data[offset:min(offset+ipc.MaxConfigPart, len(d.data))]
	if offset+len(part) == len(d.data) {
		c.reading = document{}
	}
	return &ipc.ConfigPart{Data: part, Total: len(d.data)}
}

// document makes one. One client at a time: it may be large.
func (c *client) document(ctx context.Context, b ipc.ConfigRead) ([]byte, error) {
	c.p.reading.Lock()
	defer c.p.reading.Unlock()
	var value any
	var err error
	switch b.What {
	case ipc.ConfigList:
		value, err = c.list(ctx)
	case ipc.ConfigShow:
		value, err = c.show(ctx, b.Version, b.Secrets)
	case ipc.ConfigDiff:
		value, err = c.diff(ctx, b.Version, b.Other)
	case ipc.ConfigCertificates:
		value, err = c.certificates(ctx)
	case ipc.ConfigUpstreams:
		value, err = c.p.backends.List(b.Name)
	default:
		err = fmt.Errorf("there is no document %q", b.What)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// kept is the store, and the version that is live.
func (c *client) kept(ctx context.Context) (*history.Store, uint64, error) {
	type facts struct {
		store *history.Store
		live  uint64
	}
	select {
	case <-c.p.recalled:
	case <-ctx.Done():
		return nil, 0, errStopped
	}
	known := make(chan facts, 1)
	c.p.post(ctx, func(context.Context) { known <- facts{c.p.kept.store, c.p.live.version} })
	select {
	case f := <-known:
		if f.store == nil {
			return nil, 0, fmt.Errorf("no configuration %w: there is no state directory", history.ErrNotKept)
		}
		return f.store, f.live, nil
	case <-ctx.Done():
		return nil, 0, errStopped
	}
}

func (c *client) list(ctx context.Context) (history.List, error) {
	store, live, err := c.kept(ctx)
	if err != nil {
		return history.List{}, err
	}
	versions, err := store.List()
	if versions == nil {
		versions = []history.Version{} // JSON shows [] then
	}
	return history.List{Live: live, Versions: versions}, err
}

func (c *client) show(ctx context.Context, number uint64, secrets bool) (history.Text, error) {
	if secrets && c.uid != 0 && c.uid != os.Geteuid() {
		return history.Text{}, errSecrets
	}
	store, live, err := c.kept(ctx)
	if err != nil {
		return history.Text{}, err
	}
	if number == 0 {
		number = live
	}
	v, snapshot, err := store.Read(number)
	if err != nil {
		return history.Text{}, err
	}
	cfg, err := snapshot.Config()
	if err != nil {
		return history.Text{}, fmt.Errorf("version %d: %w", number, err)
	}
	return history.Text{Version: v, Config: string(config.Write(cfg, secrets))}, nil
}

func (c *client) diff(ctx context.Context, from, to uint64) (history.Diff, error) {
	d := history.Diff{From: from, To: to}
	store, _, err := c.kept(ctx)
	if err != nil {
		return d, err
	}
	var snapshots [2]*config.Snapshot
	for i, number := range []uint64{from, to} {
		if _, snapshots[i], err = store.Read(number); err != nil {
			return d, err
		}
	}
	changes, err := difference(snapshots[0], snapshots[1])
	d.Changes = history.Describe(changes)
	return d, err
}
