package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"pingap/bench/internal/judge"
	"pingap/bench/internal/processes"
)

// measured is a proxy's figures in one row: every round, and what they come to.
type measured struct {
	Proxy  string      `json:"proxy"`
	Rounds []genResult `json:"rounds"`
	Calls  float64     `json:"syscalls_per_request"` // 0 = not counted
	Ratio  float64     `json:"ratio"`                // to nginx, median over rounds; 0 = no nginx
	Median genResult   `json:"median"`               // each figure's own median
	Half   *genResult  `json:"half,omitempty"`       // medians at half the load of the reference; nil = not measured or not kept up with
	Failed string      `json:"failed,omitempty"`
	Absent bool        `json:"absent,omitempty"` // not compared in this row
}

// result is a row with all its proxies.
type result struct {
	Row     row        `json:"row"`
	Proxies []measured `json:"proxies"`
}

// bench is one run of the runner.
type bench struct {
	o        options
	dir      string
	gen      string
	peerPath string // the program of internal/peer
	upstream int    // gen's port
	other    int    // port of an upstream that is not gen
	proxies  []proxy
	genCore  int
	log      func(string, ...any)
}

// group is the set of rows that the same processes serve.
type group struct {
	variant variant
	threads int
}

func newBench(ctx context.Context, o options, dir string, stderr io.Writer) (*bench, error) {
	if runtime.NumCPU() < 2 {
		return nil, errors.New("needs two cores: one for the load, one for the proxy")
	}
	b := &bench{o: o, dir: dir, log: func(f string, a ...any) { fmt.Fprintf(stderr, f+"\n", a...) }}
	var err error
	if b.gen, err = buildGen(ctx, dir); err != nil {
		return nil, err
	}
	if b.peerPath, err = buildPeer(ctx, dir); err != nil {
		return nil, err
	}
	if err = judge.WriteCertificate(dir); err != nil {
		return nil, err
	}
	if b.upstream, err = freePort(); err != nil {
		return nil, err
	}
	if b.other, err = freePort(); err != nil {
		return nil, err
	}
	b.proxies, err = chooseProxies(ctx, o, dir, b.log)
	return b, err
}

// cores are those of the proxy: the one that the load does not use, or both.
func (b *bench) cores(threads int) string {
	if threads == 1 {
		return strconv.Itoa(b.genCore + 1)
	}
	return fmt.Sprintf("%d-%d", b.genCore, b.genCore+threads-1)
}

// run measures all rows, group by group.
func (b *bench) run(ctx context.Context, rows []row) ([]result, error) {
	var groups []group
	for _, r := range rows {
		if g := (group{r.Variant, r.Threads}); !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	results := make([]result, len(rows))
	for _, g := range groups {
		running := b.startAll(ctx, g)
		for i, r := range rows {
			if r.Variant == g.variant && r.Threads == g.threads && ctx.Err() == nil {
				results[i] = b.measure(ctx, r, running)
			}
		}
		for _, m := range running {
			if m.instance != nil {
				m.stop()
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// taker is a proxy that takes part in a group of rows, or why not.
type taker struct {
	*instance
	name   string
	failed string
	absent bool
}

func (b *bench) startAll(ctx context.Context, g group) []taker {
	var running []taker
	for _, p := range b.proxies {
		if !p.serves(g.variant) {
			running = append(running, taker{name: p.name, absent: true, failed: "not compared in this row"})
			continue
		}
		in, err := b.startOne(ctx, p, g)
		m := taker{name: p.name, instance: in}
		if err != nil {
			m.failed = err.Error()
		}
		running = append(running, m)
	}
	return running
}

func (b *bench) startOne(ctx context.Context, p proxy, g group) (*instance, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := setup{
		dir:     filepath.Join(b.dir, fmt.Sprintf("%s-%s-%d", p.name, g.variant, g.threads)),
		variant: g.variant, threads: g.threads, port: port, upstream: b.upstream, tuned: b.o.nginx == "tuned", certs: b.dir,
	}
	if g.variant == variantH2Up || g.variant == variantGRPC {
		s.upstream = b.other
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	// nginx workers and pingap's run as another user when started by root: they must get at their files.
	if err := os.Chmod(b.dir, 0o755); err != nil {
		return nil, err
	}
	return start(ctx, p, s, b.cores(g.threads))
}

// measure runs the rounds of one row, the proxies taking turns.
func (b *bench) measure(ctx context.Context, r row, running []taker) result {
	begin := time.Now()
	res := result{Row: r, Proxies: make([]measured, len(running))}
	upstream, err := b.startUpstream(ctx, r)
	for i, in := range running {
		res.Proxies[i] = measured{Proxy: in.name, Failed: in.failed, Absent: in.absent}
		if err != nil && !in.absent {
			res.Proxies[i].Failed = err.Error()
		}
	}
	rounds := b.o.rounds
	if r.Once {
		rounds = 1
	}
	for range rounds {
		for i, in := range running {
			b.once(ctx, r, in.instance, &res.Proxies[i])
		}
	}
	for i, in := range running {
		if r.Calls && res.Proxies[i].Failed == "" {
			res.Proxies[i].Calls = b.countCalls(ctx, r, in.instance)
		}
	}
	summarise(&res)
	if r.Half {
		b.measureHalf(ctx, r, running, &res)
	}
	for _, in := range running {
		if in.instance != nil {
			in.emptyLogs()
		}
	}
	if upstream != nil {
		upstream.stop()
	}
	b.log("%-45s %5.1f s  %s", r.Name, time.Since(begin).Seconds(), oneLine(res))
	return res
}

// once does one round of one proxy; a proxy that fails a row is left out of the rest of that row.
func (b *bench) once(ctx context.Context, r row, in *instance, m *measured) {
	if m.Failed != "" {
		return
	}
	in.pids = processes.Tree(in.cmd.Process.Pid)
	g, err := b.measureOnce(ctx, r, in)
	switch {
	case err != nil:
		m.Failed = err.Error()
	case g.Errors > 0:
		m.Failed = fmt.Sprintf("%d errors: %d bad status (first %d), %d bad length, %d broken, %d closed, %d idle lost",
			g.Errors, g.BadStatus, g.FirstBadStatus, g.BadLength, g.Broken, g.Closed, g.IdleLost)
	case g.Requests == 0 && r.Conns > 0:
		m.Failed = "no request was answered"
	}
	if err == nil {
		m.Rounds = append(m.Rounds, g)
	}
}

// countCalls is a short run of its own, because counting costs time.
func (b *bench) countCalls(ctx context.Context, r row, in *instance) float64 {
	o := b.o
	o.seconds, o.warmup = 300*time.Millisecond, 100*time.Millisecond
	g, err := runGen(ctx, b.gen, genArgs(r, o, in.port, b.upstream, b.genCore, in.pids, true))
	if err != nil {
		return 0
	}
	return g.Syscalls
}
