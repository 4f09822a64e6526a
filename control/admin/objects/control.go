package objects

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"pingap/config"
	"pingap/control/admin/objects/internal/schema"
	"pingap/control/admin/objects/internal/written"
	"pingap/control/history"
	"pingap/control/source"
	"pingap/ipc"
)

// Plugin is what a category of plugins declares. Parameter is one of its parameters.
type (
	Plugin    = schema.Plugin
	Parameter = schema.Key
)

// Control is what package control does for this one.
type Control interface {
	// Source says what the source holds, and what is live.
	Source(ctx context.Context) (*Source, error)
	// Try judges what an edit would come to. Nothing is written.
	Try(ctx context.Context, e Edit) (*Judged, error)
	// Write makes an edit: judged, written and applied. Where it is not applied the source holds what it had.
	Write(ctx context.Context, e Edit) (*Applied, error)
	// Former says what an item of the source held before, newest first.
	Former(ctx context.Context, key string) ([]source.Former, error)

	// Versions lists those that are kept.
	Versions(ctx context.Context) (history.List, error)
	// Kept is a kept version, or with 0 what is live.
	Kept(ctx context.Context, number uint64) (*config.Config, error)
	// Loaded is what the source means as it is now, whole.
	Loaded(ctx context.Context) (*config.Config, error)
	// Difference is what changes from one kept version to another; 0 is what is live.
	Difference(ctx context.Context, from, to uint64) (config.Changes, error)

	// Status is what is known of all processes.
	Status(ctx context.Context) (*ipc.StatusAll, error)
	// Ledger is what was done.
	Ledger(ctx context.Context) (*ipc.History, error)
	// Inventory lists the certificates that are live, and Health their upstreams with all backends; with a name only that one.
	Inventory(ctx context.Context) (any, error)
	Health(ctx context.Context, upstream string) (any, error)
	// Totals counts healthy backends of each upstream.
	Totals(ctx context.Context) []Total
	// Admin takes a backend out of service, or back in.
	Admin(ctx context.Context, upstream, address string, admin ipc.Admin, by string) (any, error)
	// Roll starts fresh workers for what is live.
	Roll(ctx context.Context, by string, wait bool) error
}

// Source is what the configuration is made of now.
type Source struct {
	Kind     string // file, etcd or memory
	Layout   source.Layout
	Single   string // name of the only item of a single file
	Writable error  // why it cannot be written; nil where it can
	Instance string // name of the instance as it is live; empty for none
	// PanelOnly says that what is written is not applied here: it is for others to serve.
	PanelOnly bool
	Items     []source.Item
	Docs      []source.Document // of the items

	Digest string // of Docs
	Live   string // digest of what is live; empty where that is not known
	Number uint64 // of the live version, 0 for none
	SHA    string // likewise
}

// Tag names the configuration for ETag and If-Match, without quotes: the live version, and what the source holds where that is something else.
func (s *Source) Tag() string {
	const short = 8
	if s.Digest == s.Live || len(s.Digest) < short {
		return fmt.Sprint(s.Number)
	}
	return fmt.Sprintf("%d-%s", s.Number, s.Digest[:short])
}

// Edit is a change of the source.
type Edit struct {
	By    string // for logs and history
	Way   string // for the audit log, before what changes: "import: "; empty where there is nothing to add
	Match string // the tag that the configuration must have; empty for any
	// Change says what is to be written; it is called while nobody else writes, with what is there then. An error ends the edit.
	Change func(ctx context.Context, now *Source) (Draft, error)
}

// Draft is what an edit comes to.
type Draft struct {
	Ops   []source.Op
	Notes []string // for warnings
}

// Judged is what was found about an edit.
type Judged struct {
	Before, After *Source // After has Docs only
	Class         config.Class
	Changes       config.Changes // against what is live
	Errors        []config.Problem
	More          []string // errors that have no place
	Warnings      []string
}

// Applied is what became of an edit.
type Applied struct {
	Judged
	Number  uint64
	SHA     string
	Took    time.Duration
	Workers []Worker
}

// Worker is a process that serves.
type Worker struct {
	PID        int    `json:"pid"`
	Slot       int    `json:"slot"`
	Generation int    `json:"generation"`
	Version    uint64 `json:"version"`
}

// Total is how many backends of an upstream may be used.
type Total struct {
	Upstream       string
	Healthy, Total int
	Unhealthy      []string
}

// Options of New.
type Options struct {
	Control Control
	Plugins []Plugin
	Version string // of the program
	Started time.Time
}

// Objects answers. It may be used by any number of goroutines.
type Objects struct {
	control Control
	schema  *schema.Schema
	reader  *written.Reader
	opt     Options
}

// New makes one.
func New(o Options) *Objects {
	s := schema.Of(o.Plugins)
	return &Objects{control: o.Control, schema: s, reader: written.NewReader(s), opt: o}
}

// tag adds what the answer is about.
func tag(w http.ResponseWriter, s *Source) { w.Header().Set("ETag", `"`+s.Tag()+`"`) }
