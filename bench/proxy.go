package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pingap/bench/internal/install"
)

// proxy is one of the programs compared.
type proxy struct {
	name   string
	binary string
	// version prints the program's version, for the report.
	version []string
	// command writes a configuration for a setup and returns the command line and additional environment.
	command func(s setup) (args, env []string, err error)
}

// setup is what a proxy's configuration depends on.
type setup struct {
	dir      string // for configuration, logs, sockets; exists and is empty
	variant  variant
	threads  int
	port     int    // where the proxy listens
	upstream int    // where gen answers, or what stands in its place
	certs    string // folder of the certificate
	tuned    bool
}

func (s setup) path(name string) string {
	return filepath.Join(s.dir, name)
}

func (s setup) write(name, text string) (string, error) {
	path := s.path(name)
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// pool is how many idle connections to the upstream are kept: more than there are requests at once, or the rows of 256 streams would
// measure connecting.
func (s setup) pool() int {
	if s.variant == variantTLS || s.variant == variantH2C {
		return 512
	}
	return 128
}

// cert is the path of one of the certificate's files.
func (s setup) cert(name string) string { return filepath.Join(s.certs, name) }

// directBody is the answer of /direct.
func directBody() string {
	return strings.Repeat("d", smallAnswer)
}

// locationPrefix is the path of one of the 10,000 locations; gen asks for prefix + "x".
func locationPrefix(i int) string {
	return fmt.Sprintf("/l%05d/", i)
}

// knownProxies lists all of them in the order of the table.
func knownProxies(o options, dir string) []proxy {
	return []proxy{
		{name: "nginx", binary: "nginx", version: []string{"-v"}, command: nginxCommand},
		{name: "haproxy", binary: "haproxy", version: []string{"-v"}, command: haproxyCommand},
		{name: "caddy", binary: "caddy", version: []string{"version"}, command: caddyCommand},
		{name: "go", binary: filepath.Join(dir, "peer"), version: []string{"version"}, command: goCommand},
		{name: "original", binary: o.original, version: []string{"-V"}, command: originalCommand},
		{name: "pingap", binary: pingapBinary(o, dir), version: []string{"-V"}, command: pingapCommand},
	}
}

// chooseProxies returns the wanted proxies, with this build compiled and the others installed.
func chooseProxies(ctx context.Context, o options, dir string, log func(string, ...any)) ([]proxy, error) {
	wanted := map[string]bool{}
	for _, name := range o.proxies {
		wanted[strings.TrimSpace(name)] = true
	}
	var chosen []proxy
	for _, p := range knownProxies(o, dir) {
		if !wanted[p.name] {
			continue
		}
		delete(wanted, p.name)
		if p.binary == "" {
			log("no %s: BENCH_PINGAP is not set", p.name)
			continue
		}
		if p.name == "pingap" && o.pingap == "" {
			if err := buildPingap(ctx, p.binary); err != nil {
				return nil, err
			}
		}
		path, err := install.Find(ctx, p.binary, log)
		if err != nil {
			log("no %s: %v", p.name, err)
			continue
		}
		p.binary = path
		chosen = append(chosen, p)
	}
	for name := range wanted {
		return nil, fmt.Errorf("unknown proxy %q", name)
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("none of %s is here", strings.Join(o.proxies, ", "))
	}
	return chosen, nil
}
