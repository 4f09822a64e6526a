package protocols

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

const pingapConf = `
[servers.plain]
addr = "{{.Plain}}"
enabled_h2 = true
{{if .GRPCWeb}}modules = ["grpc-web"]{{end}}
{{.ServerKeys}}
locations = ["all"]

[servers.tls]
addr = "{{.TLS}}"
global_certificates = true
enabled_h2 = true
{{if .GRPCWeb}}modules = ["grpc-web"]{{end}}
{{.ServerKeys}}
locations = ["all"]

[certificates.test]
tls_cert = "{{.Cert}}"
tls_key = "{{.Key}}"
is_default = true

{{.Tables}}
{{if .Cache}}[plugins.cache]
category = "cache"
directory = "{{if eq .Cache "file"}}{{.Dir}}/cache/objects{{end}}"
{{end}}
[locations.all]
path = "/"
upstream = "app"
{{if .Cache}}plugins = ["cache"]{{end}}
{{if .GRPCWeb}}grpc_web = true{{end}}

[upstreams.app]
addrs = ["{{.Upstream}}"]
{{if .H2Upstream}}alpn = "h2"
max_h2_streams = 100{{end}}
{{if .TLSUpstream}}sni = "localhost"
verify_cert = false{{end}}
`

func (f *front) pingap() (*exec.Cmd, error) {
	path, err := f.fill("pingap.toml", pingapConf)
	if f.Cache == fileCache {
		err = errors.Join(err, openDir(filepath.Join(f.Dir, "cache")))
	}
	return exec.Command(os.Getenv(binaryPath), "-c", path, "--workers", strconv.Itoa(cmp.Or(f.Workers, 2)),
		"--run-dir", filepath.Join(f.Dir, "run"), "--state-dir", filepath.Join(f.Dir, "state")), err
}

// openDir makes a directory in which the workers' user may make others.
func openDir(path string) error {
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	return os.Chmod(path, 0o777)
}

const haproxyConf = `
global
    log stdout format raw local0
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
    timeout tunnel 60s
frontend web
    bind {{.Plain}}
    bind {{.TLS}} ssl crt {{.Dir}}/both.pem alpn h2,http/1.1 ssl-min-ver TLSv1.2
    default_backend app
backend app
    server app {{.Upstream}}{{if .TLSUpstream}} ssl verify none sni str(localhost){{if .H2Upstream}} alpn h2{{end}}{{else if .H2Upstream}} proto h2{{end}}
`

func (f *front) haproxy() (*exec.Cmd, error) {
	cert, err := os.ReadFile(f.Cert)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(f.Key)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(f.Dir, "both.pem"), append(cert, key...), 0o600); err != nil {
		return nil, err
	}
	path, err := f.fill("haproxy.cfg", haproxyConf)
	return exec.Command(daemon("haproxy"), "-db", "-f", path), err
}

const nginxConf = `
daemon off; master_process off; pid {{.Dir}}/pid; error_log {{.Dir}}/error.log;
events { worker_connections 1024; }
http {
  access_log off; client_body_temp_path {{.Dir}}/b; proxy_temp_path {{.Dir}}/p; fastcgi_temp_path {{.Dir}}/f;
  uwsgi_temp_path {{.Dir}}/u; scgi_temp_path {{.Dir}}/s;
  {{if .Cache}}proxy_cache_path {{.Dir}}/cache levels=1:2 keys_zone=cache:8m max_size=1000m inactive=600m;{{end}}
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  server {
    listen {{.TLS}} ssl http2; listen {{.Plain}}{{if or .H2Upstream .GRPC}} http2{{end}};
    ssl_certificate {{.Cert}}; ssl_certificate_key {{.Key}}; ssl_session_cache shared:a:1m; ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
    client_max_body_size 0;
    location / {
      {{if .GRPC}}grpc_pass grpc{{if .TLSUpstream}}s{{end}}://{{.Upstream}};
      {{else}}proxy_pass http{{if .TLSUpstream}}s{{end}}://{{.Upstream}}; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
      {{if .Cache}}proxy_cache cache; proxy_cache_revalidate on;{{end}}{{end}}
    }
  }
}
`

func (f *front) nginx() (*exec.Cmd, error) {
	path, err := f.fill("nginx.conf", nginxConf)
	return exec.Command(daemon("nginx"), "-p", f.Dir, "-e", filepath.Join(f.Dir, "error.log"), "-c", path), err
}

// daemon finds a program where Debian puts daemons too.
func daemon(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	return "/usr/sbin/" + name
}
