package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"pingap/bench/internal/judge"
)

// pingapBinary is where this build goes, or the one given by flag.
func pingapBinary(o options, dir string) string {
	if o.pingap != "" {
		return o.pingap
	}
	return filepath.Join(dir, "pingap")
}

// buildPingap compiles the checkout as `make build` does.
func buildPingap(ctx context.Context, out string) error {
	order, err := exec.CommandContext(ctx, "go", "run", "./internal/pollorder", filepath.Join(filepath.Dir(out), "pollorder")).Output()
	if err != nil {
		return fmt.Errorf("order of the poller: %w", err)
	}
	args := append([]string{"build"}, strings.Fields(string(order))...)
	cmd := exec.CommandContext(ctx, "go", append(args, "-pgo=cmd/pingap/pingap.pgo", "-trimpath", "-buildvcs=auto", "-o", out, "./cmd/pingap")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build pingap: %w\n%s", err, text)
	}
	return nil
}

// pingapConfig serves for this build and for the original: the same file.
func pingapConfig(s setup) (string, error) {
	var b strings.Builder
	names := []string{`"direct"`, `"all"`}
	fmt.Fprintf(&b, `
[basic]
threads = %d
max_connections = 15000
upstream_keepalive_pool_size = %d

[upstreams.gen]
addrs = ["127.0.0.1:%d"]
health_check = "tcp://bench.local?failure=1000" # it is there only while it is measured%s

[plugins.direct]
category = "mock"
path = "/direct"
status = 200
data = "%s"

[locations.direct]
path = "=/direct"
plugins = ["pingap:requestId", "direct"]

[locations.all]
path = "/"
upstream = "gen"
plugins = ["pingap:requestId"]
`, s.threads, s.pool(), s.upstream, pingapUpstream(s), directBody())
	if s.variant == variantLocations {
		names = append(names, `"changed"`)
		fmt.Fprintf(&b, "\n"+changedLine+"\"]\n", s.upstream)
		b.WriteString("\n[locations.changed]\npath = \"=/changed\"\nupstream = \"changed\"\n")
		for i := range locations {
			name := fmt.Sprintf("l%05d", i)
			names = append(names, strconv.Quote(name))
			fmt.Fprintf(&b, "\n[locations.%s]\npath = %q\nupstream = \"gen\"\nplugins = [\"pingap:requestId\"]\n",
				name, locationPrefix(i))
		}
	}
	fmt.Fprintf(&b, "\n[servers.web]\naddr = \"127.0.0.1:%d\"\naccess_log = \"%s?rolling=never combined\"\nkeepalive_requests = 0\nlocations = [%s]\n%s",
		s.port, s.path("access.log"), strings.Join(names, ", "), pingapServer(s))
	return s.write("pingap.toml", b.String())
}

// pingapUpstream is what its upstream has for the protocols of a variant.
func pingapUpstream(s setup) string {
	if s.variant == variantH2Up || s.variant == variantGRPC {
		return "\nalpn = \"h2\"\nmax_h2_streams = 100"
	}
	return ""
}

// pingapServer is the same of the server, and the certificate behind it.
func pingapServer(s setup) string {
	switch {
	case s.variant.tls():
		return fmt.Sprintf("global_certificates = true\nenabled_h2 = true\n\n[certificates.bench]\ntls_cert = %q\ntls_key = %q\nis_default = true\n",
			s.cert(judge.CertFile), s.cert(judge.KeyFile))
	case s.variant == variantH2C || s.variant == variantGRPC:
		return "enabled_h2 = true\n"
	}
	return ""
}

func pingapCommand(s setup) (args, env []string, err error) {
	path, err := pingapConfig(s)
	return []string{
		"-c", path, "--run-dir", s.path("run"), "--state-dir", s.path("state"),
		"--workers", "1", "--threads", strconv.Itoa(s.threads),
	}, nil, err
}

func originalCommand(s setup) (args, env []string, err error) {
	path, err := pingapConfig(s)
	return []string{"-c", path, "--threads", strconv.Itoa(s.threads)}, nil, err
}
