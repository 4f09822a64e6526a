package main

import (
	"context"
	"io"
	"slices"
	"strconv"

	"pingap/bench/internal/heal"
	"pingap/bench/internal/install"
	"pingap/bench/internal/plugs"
)

// lent is what the parts of the bench that measure this build need; false if it is not among the proxies.
func (b *bench) lent() (heal.Tools, bool) {
	i := slices.IndexFunc(b.proxies, func(p proxy) bool { return p.name == "pingap" })
	if i < 0 {
		return heal.Tools{}, false
	}
	return heal.Tools{Dir: b.dir, Pingap: b.proxies[i].binary, Gen: b.gen, Peer: b.peerPath, LoadCore: b.genCore, Rounds: b.o.rounds,
		Start: startProgram, Load: b.healLoad, FreePort: freePort, Median: median}, true
}

// printHeal measures what backends that heal cost this build.
func (b *bench) printHeal(ctx context.Context, w io.Writer) *heal.Figures {
	if t, here := b.lent(); here {
		return heal.Print(ctx, t, w)
	}
	return nil
}

// printPlugins measures what plugins cost.
func (b *bench) printPlugins(ctx context.Context, w io.Writer, rows string) []plugs.Figure {
	t, here := b.lent()
	if !here {
		return nil
	}
	nginx, err := install.Find(ctx, "nginx", b.log)
	if err != nil {
		b.log("plugins: %v", err) // rows beside nginx say so too
	}
	return plugs.Print(ctx, plugs.Tools{Tools: t, Nginx: nginx, Rows: rows, Log: b.log}, w)
}

func startProgram(ctx context.Context, p heal.Program) (heal.Running, error) {
	command := func(setup) (args, env []string, err error) { return p.Args, p.Env, nil }
	in, err := start(ctx, proxy{name: p.Name, binary: p.Binary, command: command}, setup{dir: p.Dir, port: p.Port}, strconv.Itoa(p.Core))
	if err != nil {
		return heal.Running{}, err
	}
	return heal.Running{PIDs: in.pids, Stop: in.stop, EmptyLogs: in.emptyLogs}, nil
}

func (b *bench) healLoad(ctx context.Context, l heal.Load) (heal.Answers, error) {
	o := b.o
	o.seconds = l.Time
	r := row{Conns: 64, Path: "/small", Length: smallAnswer, Cookie: l.Cookie, Rate: l.Rate}
	g, err := runGen(ctx, b.gen, genArgs(r, o, l.Port, b.upstream, b.genCore, l.PIDs, false))
	return heal.Answers{Errors: g.Errors, CPU: g.CPU, RPS: g.RPS}, err
}
