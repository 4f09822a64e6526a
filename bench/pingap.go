package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
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
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=auto", "-o", out, "./cmd/pingap")
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

[upstreams.gen]
addrs = ["127.0.0.1:%d"]

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
`, s.threads, s.upstream, directBody())
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
	fmt.Fprintf(&b, "\n[servers.web]\naddr = \"127.0.0.1:%d\"\naccess_log = \"%s?rolling=never combined\"\nkeepalive_requests = 0\nlocations = [%s]\n",
		s.port, s.path("access.log"), strings.Join(names, ", "))
	return s.write("pingap.toml", b.String())
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
