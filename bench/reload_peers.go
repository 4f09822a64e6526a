package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// allCores is for taskset.
func allCores() string { return fmt.Sprintf("0-%d", runtime.NumCPU()-1) }

// versionOf is the last word of what the program says about itself, of its first line.
func versionOf(ctx context.Context, p proxy) string {
	out, err := exec.CommandContext(ctx, p.binary, p.version...).CombinedOutput()
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(out), "\n")
	for _, word := range strings.FieldsFunc(first, func(r rune) bool { return r == ' ' || r == '/' }) {
		if strings.ContainsAny(word, "0123456789") {
			version, _, _ := strings.Cut(word, "-")
			return version
		}
	}
	return "unknown"
}

// nginxReloadCommand is nginx as Debian's package has it, with what proxying tunnels and event streams needs by its manual.
func nginxReloadCommand(s setup) (args, env []string, err error) {
	path, err := s.write("nginx.conf", fmt.Sprintf(`
daemon off;
worker_processes auto;
pid %[1]s/pid;
error_log %[1]s/error.log warn;
events { worker_connections 768; }
http {
    client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
    access_log %[1]s/access.log;
    keepalive_timeout 65;
    map $http_upgrade $upgrade_or_nothing { default upgrade; '' ''; }
    upstream app { server 127.0.0.1:%[2]d; keepalive 32; }
    server {
        listen 127.0.0.1:%[3]d;
        location / {
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $upgrade_or_nothing;
        }
    }
}
`, s.dir, s.upstream, s.port))
	return []string{"-p", s.dir, "-e", s.path("error.log"), "-c", path}, nil, err
}

func nginxReload(ctx context.Context, in *instance, _ int) error {
	return in.run(ctx, "-p", in.dir, "-e", filepath.Join(in.dir, "error.log"), "-c", filepath.Join(in.dir, "nginx.conf"), "-s", "reload")
}

// haproxyReloadCommand is HAProxy with a master, as Debian's unit runs it.
func haproxyReloadCommand(s setup) (args, env []string, err error) {
	path, err := s.write("haproxy.cfg", fmt.Sprintf(`
global
    log stdout format raw local0
defaults
    mode http
    log global
    option httplog
    timeout connect 5s
    timeout client 50s
    timeout server 50s
    timeout tunnel 1h
frontend web
    bind 127.0.0.1:%d
    default_backend app
backend app
    server app 127.0.0.1:%d
`, s.port, s.upstream))
	return []string{"-W", "-db", "-f", path, "-p", s.path("pid")}, nil, err
}

// haproxyReload is what "systemctl reload haproxy" does; the master does not say when it is done.
func haproxyReload(_ context.Context, in *instance, _ int) error {
	return in.cmd.Process.Signal(syscall.SIGUSR2)
}

func pingapReloadCommand(s setup) (args, env []string, err error) {
	path, err := s.write("pingap.toml", pingapReloadConfig(s.port, s.upstream, s.path("access.log"), 1))
	return []string{"-c", path, "--run-dir", s.path("run"), "--state-dir", s.path("state"), "--workers", "2"}, nil, err
}

// pingapReloadConfig lets as many generations finish as come about, as the others do.
func pingapReloadConfig(port, upstream int, log string, weight int) string {
	return fmt.Sprintf(`
[basic]
max_draining_generations = 1000

[servers.web]
addr = "127.0.0.1:%d"
access_log = "%s?rolling=never combined"
locations = ["all"]

[locations.all]
path = "/"
upstream = "app"

[upstreams.app]
addrs = ["127.0.0.1:%d %d"]
`, port, log, upstream, weight)
}

// pingapApply changes the weight of the backend and waits until that is live.
func pingapApply(ctx context.Context, in *instance, n int) error {
	path := filepath.Join(in.dir, "pingap.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	old := fmt.Sprintf(` %d"]`, n%9+1)
	changed := strings.Replace(string(text), old, fmt.Sprintf(` %d"]`, (n+1)%9+1), 1)
	if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
		return err
	}
	return in.run(ctx, "reload", "--wait", "--run-dir", filepath.Join(in.dir, "run"))
}

// pingapRoll has fresh workers take over.
func pingapRoll(ctx context.Context, in *instance, _ int) error {
	return in.run(ctx, "roll", "--wait", "--run-dir", filepath.Join(in.dir, "run"))
}

// run has the proxy's program speak to the running one.
func (in *instance) run(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, in.proxy.binary, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
