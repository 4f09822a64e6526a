package plugs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pingap/bench/internal/heal"
)

// A file of the size of the row for static files.
const (
	staticFile = "page.txt"
	staticSize = 16 * kib
)

// instance is one side of a row, running.
type instance struct {
	heal.Running
	row
	side
	port int
}

// upstream is gen without load. It ends by itself if nobody stops it.
func (t Tools) upstream(ctx context.Context) (port int, stop func(), err error) {
	dir, err := t.folder("upstream")
	if err != nil {
		return 0, nil, err
	}
	if port, err = t.FreePort(); err != nil {
		return 0, nil, err
	}
	up, err := t.Start(ctx, heal.Program{Name: "gen as upstream", Binary: t.Gen, Dir: dir, Port: port, Core: t.LoadCore,
		Args: []string{"--upstream", fmt.Sprint(port), "--seconds", "600"}})
	return port, up.Stop, err
}

// start runs one side of a row.
func (t Tools) start(ctx context.Context, r row, s side, name string, upstream int) (instance, error) {
	in := instance{row: r, side: s}
	dir, err := t.folder(name)
	if err != nil {
		return in, err
	}
	if in.port, err = t.FreePort(); err != nil {
		return in, err
	}
	if err := prepareFiles(dir); err != nil {
		return in, err
	}
	p := heal.Program{Name: s.program, Binary: t.Pingap, Dir: dir, Port: in.port, Core: t.LoadCore + 1}
	file, text := filepath.Join(dir, "pingap.toml"), s.pingapConf(dir, in.port, upstream, t.Collector)
	p.Args = []string{"-c", file, "--run-dir", filepath.Join(dir, "run"), "--state-dir", filepath.Join(dir, "state"), "--workers", "1", "--threads", "1"}
	if s.program == nginx {
		p.Binary = t.Nginx
		file, text = filepath.Join(dir, "nginx.conf"), s.nginxConf(dir, in.port, upstream)
		p.Args = []string{"-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", file}
	}
	if err := writeFile(file, text); err != nil {
		return in, err
	}
	in.Running, err = t.Start(ctx, p)
	return in, err
}

// prepareFiles makes what is served from files, and a place for a store in which the workers' user may make directories.
func prepareFiles(dir string) error {
	for _, name := range []string{"files", "store"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(dir, "store"), 0o777); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "files", staticFile), strings.Repeat("static\n\n", staticSize/8))
}

func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o644) }

// pingapConf is the whole configuration, as the rest of the bench has it.
func (s side) pingapConf(dir string, port, upstream int, collector string) string {
	names := make([]string, len(s.plugins))
	for i, n := range s.plugins {
		names[i] = fmt.Sprintf("%q", n)
	}
	return fmt.Sprintf(`
[basic]
threads = 1
upstream_keepalive_pool_size = 128

[upstreams.gen]
addrs = ["127.0.0.1:%d"]

%s
[locations.all]
path = "/"
upstream = "gen"
plugins = [%s]

[servers.web]
addr = "127.0.0.1:%d"
access_log = "%s?rolling=never combined"
keepalive_requests = 0
locations = ["all"]
%s`, upstream, strings.ReplaceAll(s.conf, "{{dir}}", dir), strings.Join(names, ", "), port, filepath.Join(dir, "access.log"), strings.ReplaceAll(s.server, "{{collector}}", collector))
}

// nginxConf has what its package has, sendfile among it, and the lines of the side.
func (s side) nginxConf(dir string, port, upstream int) string {
	return strings.ReplaceAll(fmt.Sprintf(`
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {{dir}}/pid;
error_log {{dir}}/error.log warn;
events { worker_connections 16384; }
http {
    client_body_temp_path {{dir}}/body; proxy_temp_path {{dir}}/proxy; fastcgi_temp_path {{dir}}/fastcgi; uwsgi_temp_path {{dir}}/uwsgi; scgi_temp_path {{dir}}/scgi;
    types { text/html html; text/plain txt; }
    sendfile on;
    tcp_nopush on;
    access_log {{dir}}/access.log combined;
    keepalive_timeout 75s;
    keepalive_requests 1000000000;
    upstream gen { server 127.0.0.1:%d; keepalive 128; keepalive_requests 1000000000; }
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Request-Id $request_id;
    proxy_cache_path {{dir}}/store/objects levels=1:2 keys_zone=kept:10m max_size=1g;
    server {
        listen 127.0.0.1:%d backlog=4096;
        add_header X-Request-Id $request_id;
        %s
    }
}
`, upstream, port, s.conf), "{{dir}}", dir)
}
