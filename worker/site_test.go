package worker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"pingap/arena"
	"pingap/config"
	"pingap/ipc"
	"pingap/plugins"
	"pingap/telemetry"
	"pingap/worker/proxy"
	"pingap/worker/tail"
)

// bareWorker is an active worker without a supervisor and without listeners, of server s.
func bareWorker(t testing.TB, text string, timings Timings) *worker {
	t.Helper()
	w := &worker{o: Options{Timings: timings.withDefaults()}, state: ipc.StateActive, began: time.Now(), log: zap.NewNop(),
		events: make(chan func()), jobs: make(chan func()), done: make(chan struct{})}
	var err error
	if w.appLog, err = telemetry.New(telemetry.Options{}); err != nil {
		t.Fatal(err)
	}
	if w.proxy, err = proxy.New(proxy.Options{Logger: w.log}); err != nil {
		t.Fatal(err)
	}
	if w.arena, err = arena.Create(arena.Options{Columns: 1, Rows: 64}); err != nil {
		t.Fatal(err)
	}
	w.openGate()
	w.beside.tap = tail.New(1, w.switchTap)
	w.logs = newOutlets(w.appLog, w.log, "")
	ours, theirs, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	w.conn = ours
	if w.heart, err = newHeart(w.logs); err != nil {
		t.Fatal(err)
	}
	w.wg.Go(func() { w.heartAcceptor().Accept(w.heart.listener) })
	w.build = w.newBuilder()
	w.addresses.names = append(w.addresses.names, beatServer, "s")
	w.build.registry = plugins.NewRegistry([]plugins.Factory{{
		Category: "answer", Summary: "Answers.", Steps: []plugins.Step{plugins.Request},
		Params: []plugins.Param{{Name: "text", Type: plugins.String, Help: "The text."}},
		New: func(p *plugins.Parameters) (plugins.Plugin, error) {
			return &answering{answer: plugins.Text(200, p.String("text")), closed: func(string) {}}, nil
		},
	}}, nil)
	next, err := w.build.build(t.Context(), recipe{snapshot: snapshotOf(t, text), number: 1, servers: w.addresses.names})
	if err != nil {
		t.Fatal(err)
	}
	w.goLive(next, 1)
	w.wg.Go(w.proxy.Run)
	t.Cleanup(func() { theirs.Close(); w.close() })
	return w
}

// next is the recipe of a change.
func (w *worker) next(s *config.Snapshot) recipe {
	return recipe{snapshot: s, number: 2, servers: w.addresses.names, live: w.live}
}

func load(t testing.TB, text string) *config.Config {
	t.Helper()
	cfg, report := config.Load([]config.Document{{Name: "test.toml", Data: []byte(strings.ReplaceAll(text, "LISTEN", "127.0.0.1:1"))}}, config.Options{})
	if len(report.Errors) > 0 {
		t.Fatalf("%v", report.Errors)
	}
	return cfg
}

func encode(t testing.TB, cfg *config.Config) *config.Snapshot {
	t.Helper()
	data, _ := config.Encode(cfg)
	s, err := config.OpenSnapshot(data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func snapshotOf(t testing.TB, text string) *config.Snapshot { return encode(t, load(t, text)) }

// many is a configuration of n locations, each with an expression, a plugin and an upstream of its own.
func many(n int) string {
	var b, names strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "[upstreams.u%d]\naddrs = [\"127.0.0.1:%d\"]\n", i, 1+i%60000)
		fmt.Fprintf(&b, "[plugins.p%d]\ncategory = \"answer\"\ntext = \"t%d\"\n", i, i)
		fmt.Fprintf(&b, "[locations.l%d]\npath = \"/l%d/\"\nrewrite = \"^/l%d/(.*)$ /$1\"\nupstream = \"u%d\"\nplugins = [\"p%d\"]\n", i, i, i, i, i)
		fmt.Fprintf(&names, "\"l%d\",", i)
	}
	return b.String() + "[servers.s]\naddr = \"LISTEN\"\nlocations = [" + names.String() + "]\n"
}

func TestOneChangeBuildsOneObject(t *testing.T) {
	const n = 10_000
	w := bareWorker(t, many(n), Timings{})
	if m := w.live.made; m != (made{upstreams: n, locations: n, bindings: n, plugins: n, tables: 1}) {
		t.Fatalf("at the start: %+v", m)
	}
	cfg := load(t, many(n))
	for name, c := range map[string]struct {
		change func()
		want   made // each case begins where the one before it ended
	}{
		"nothing":          {func() {}, made{}},
		"an upstream":      {func() { cfg.Upstreams["u77"].Addrs = []string{"127.0.0.1:7"} }, made{upstreams: 1, bindings: 1}},
		"a plugin":         {func() { cfg.Plugins["p77"].Params["text"] = "x" }, made{plugins: 1, bindings: 1}},
		"a location":       {func() { cfg.Locations["l77"].Path = "/x/" }, made{locations: 1, bindings: 1, tables: 1}},
		"a server's limit": {func() { cfg.Servers["s"].KeepaliveRequests = 5 }, made{}},
		"path matching":    {func() { cfg.Servers["s"].PathMatching = "raw" }, made{tables: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c.change()
			snapshot := encode(t, cfg)
			began := time.Now()
			next, err := w.build.build(t.Context(), w.next(snapshot))
			took := time.Since(began)
			if err != nil {
				t.Fatal(err)
			}
			if next.made != c.want {
				t.Errorf("built %+v, want %+v", next.made, c.want)
			}
			t.Logf("%s of 10,000 changed: built in %v", name, took)
			closeUpstreams(w.live.upstreams, next.upstreams)
			w.goLive(next, 1)
		})
	}
}

// What a site takes over is the very same object: pools, counters and plugin state live on.
func TestWhatDidNotChangeKeepsItsIdentity(t *testing.T) {
	text := many(2)
	w := bareWorker(t, text, Timings{})
	next, err := w.build.build(t.Context(), w.next(snapshotOf(t, strings.Replace(text, `"127.0.0.1:1"`, `"127.0.0.1:9"`, 1))))
	if err != nil {
		t.Fatal(err)
	}
	defer w.build.discard(next, w.live)
	old := w.live
	switch {
	case next.Upstreams["u0"] == old.Upstreams["u0"]:
		t.Error("the changed upstream was taken over")
	case next.Upstreams["u1"] != old.Upstreams["u1"]:
		t.Error("an upstream was built again")
	case next.locations["l1"] != old.locations["l1"]:
		t.Error("a location was bound again")
	case next.plugins["p1"] != old.plugins["p1"]:
		t.Error("a plugin was built again")
	case next.Servers[1].Processing != old.Servers[1].Processing:
		t.Error("the count of requests began anew")
	case next.locations["l0"].Upstream != next.Upstreams["u0"] || next.locations["l0"].Route != old.locations["l0"].Route:
		t.Error("the location of the changed upstream is not bound to it")
	}
}

func TestLocationsAreBoundToAChangedPlugin(t *testing.T) {
	text := many(2)
	w := bareWorker(t, text, Timings{})
	old := w.live
	next, err := w.build.build(t.Context(), w.next(snapshotOf(t, strings.Replace(text, `text = "t0"`, `text = "x"`, 1))))
	if err != nil {
		t.Fatal(err)
	}
	defer w.build.discard(next, old)
	bound := next.locations["l0"].Plugins.Request[0]
	if bound != next.plugins["p0"].Instance || bound == old.plugins["p0"].Instance {
		t.Error("the location of the changed plugin runs the one before")
	}
	if s := next.Servers[1]; s.Locations[next.locations["l0"].Route] != next.locations["l0"].Location {
		t.Error("the server leads to the location as it was bound before")
	}
	if next.locations["l1"] != old.locations["l1"] {
		t.Error("the other location was bound again")
	}
}

func TestChangedPoolSizeRebuildsUpstreams(t *testing.T) {
	text := many(2)
	w := bareWorker(t, text, Timings{})
	next, err := w.build.build(t.Context(), w.next(snapshotOf(t, "[basic]\nupstream_keepalive_pool_size = 3\n"+text)))
	if err != nil {
		t.Fatal(err)
	}
	defer w.build.discard(next, w.live)
	if next.made.upstreams != 2 {
		t.Errorf("built %+v", next.made)
	}
}

func TestServerSettings(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  string
		good func(*proxy.Server) bool
	}{
		"defaults": {"", func(s *proxy.Server) bool {
			return s.Limits.Head == 64<<10 && s.Limits.Fields == 128 && s.KeepAliveTimeout == time.Minute && s.KeepAliveRequests == 10000 && !s.RawPath
		}},
		"no keep-alive":     {`keepalive_timeout = "0s"`, func(s *proxy.Server) bool { return s.KeepAliveRequests == 1 && s.KeepAliveTimeout > 0 }},
		"no body time-outs": {"downstream_read_timeout = \"0s\"\ndownstream_write_timeout = \"0s\"", func(s *proxy.Server) bool { return s.ReadTimeout == never && s.WriteTimeout == never }},
		"raw paths":         {`path_matching = "raw"`, func(s *proxy.Server) bool { return s.RawPath }},
		"no log":            {"", func(s *proxy.Server) bool { return s.Log == nil }},
		"log":               {`access_log = "combined"`, func(s *proxy.Server) bool { return s.Log != nil }},
	} {
		t.Run(name, func(t *testing.T) {
			w := bareWorker(t, many(1)+c.cfg+"\n", Timings{})
			if s := w.live.Servers[1]; !c.good(s) {
				t.Errorf("%+v", s)
			}
		})
	}
}

func BenchmarkHotApplyOfOneUpstreamAmong10000(b *testing.B) {
	base := many(10_000)
	w := bareWorker(b, base, Timings{})
	snapshot := snapshotOf(b, strings.Replace(base, `"127.0.0.1:7777"`, `"127.0.0.1:7"`, 1))
	b.ReportAllocs()
	for b.Loop() {
		next, err := w.build.build(b.Context(), w.next(snapshot))
		if err != nil {
			b.Fatal(err)
		}
		w.build.discard(next, w.live)
	}
}
