package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"pingap/bench/internal/install"
)

// buildPeer compiles internal/peer.
func buildPeer(ctx context.Context, dir string) (string, error) {
	out := filepath.Join(dir, "peer")
	if text, err := exec.CommandContext(ctx, "go", "build", "-o", out, "pingap/bench/internal/peer").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build peer: %w\n%s", err, text)
	}
	return out, nil
}

// goCommand is Go's own reverse proxy with its HTTP/2 transport, to compare with.
func goCommand(s setup) (args, env []string, err error) {
	return []string{"reverse", "-addr", fmt.Sprintf("127.0.0.1:%d", s.port), "-upstream", fmt.Sprintf("127.0.0.1:%d", s.upstream),
		"-log", s.path("access.log")}, []string{"GOMAXPROCS=" + strconv.Itoa(s.threads)}, nil
}

// startUpstream starts what a row needs behind the proxies, on the core of the load. gen is its own upstream where it is the load too.
func (b *bench) startUpstream(ctx context.Context, r row) (*instance, error) {
	p, port := proxy{name: "gen as upstream", binary: b.gen, command: genUpstream}, b.upstream
	switch {
	case r.Variant == variantH2Up:
		path, err := install.Find(ctx, "nginx", b.log)
		if err != nil {
			return nil, err
		}
		p, port = proxy{name: "nginx as upstream", binary: path, command: nginxUpstream}, b.other
	case r.Variant == variantGRPC:
		p, port = proxy{name: "peer as upstream", binary: b.peerPath, command: grpcUpstream}, b.other
	case r.Load == loadGen:
		return nil, nil
	}
	s := setup{dir: filepath.Join(b.dir, "upstream"), port: port}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	return start(ctx, p, s, strconv.Itoa(b.genCore))
}

// genUpstream ends by itself if nobody stops it.
func genUpstream(s setup) (args, env []string, err error) {
	return []string{"--upstream", strconv.Itoa(s.port), "--seconds", "600"}, nil, nil
}

func grpcUpstream(s setup) (args, env []string, err error) {
	return []string{"grpc", "-addr", fmt.Sprintf("127.0.0.1:%d", s.port)}, nil, nil
}
