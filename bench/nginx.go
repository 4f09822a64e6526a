package main

import (
	"fmt"
	"strings"

	"pingap/bench/internal/judge"
)

// nginxTuned is what a careful operator adds for large answers and busy logs.
const nginxTuned = `
    proxy_buffer_size 16k;
    proxy_buffers 16 64k;
    proxy_busy_buffers_size 128k;
    proxy_max_temp_file_size 0;
`

// nginxCommand configures nginx as its manual says for a keep-alive proxy. Request bodies are streamed, as pingap does;
// buffering them to a file would be more work.
func nginxCommand(s setup) (args, env []string, err error) {
	var b strings.Builder
	logOptions, tuning := "", ""
	if s.tuned {
		logOptions, tuning = " buffer=64k flush=1s", nginxTuned
	}
	fmt.Fprintf(&b, `
daemon off;
worker_processes %d;
worker_rlimit_nofile 20000;
pid %s;
error_log %s warn;
events { worker_connections 16384; }
http {
    client_body_temp_path %s; proxy_temp_path %s; fastcgi_temp_path %s; uwsgi_temp_path %s; scgi_temp_path %s;
    access_log %s combined%s;
    keepalive_timeout 75s;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    upstream gen { server 127.0.0.1:%d; keepalive %d; keepalive_requests 1000000000; }
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Request-Id $request_id;%s
    server {
        listen 127.0.0.1:%d backlog=4096%s;
        add_header X-Request-Id $request_id;
`, s.threads, s.path("pid"), s.path("error.log"), s.path("body"), s.path("proxy"), s.path("fastcgi"), s.path("uwsgi"),
		s.path("scgi"), s.path("access.log"), logOptions, s.upstream, s.pool(), tuning, s.port, nginxListen(s))
	fmt.Fprintf(&b, "        location = /direct { return 200 \"%s\"; }\n", directBody())
	if s.variant == variantGRPC {
		b.WriteString("        grpc_set_header X-Request-Id $request_id;\n        location / { grpc_pass grpc://gen; }\n")
	} else {
		b.WriteString("        location / { proxy_pass http://gen; }\n")
	}
	if s.variant == variantLocations {
		for i := range locations {
			fmt.Fprintf(&b, "        location %s { proxy_pass http://gen; }\n", locationPrefix(i))
		}
	}
	b.WriteString("    }\n}\n")
	path, err := s.write("nginx.conf", b.String())
	return []string{"-p", s.dir, "-e", s.path("error.log"), "-c", path}, nil, err
}

// nginxListen is what its listen line has for the protocols of a variant, and the certificate behind it.
func nginxListen(s setup) string {
	switch {
	case s.variant.tls():
		return fmt.Sprintf(" ssl http2;\n        ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:bench:10m; ssl_certificate %s; ssl_certificate_key %s",
			s.cert(judge.CertFile), s.cert(judge.KeyFile))
	case s.variant == variantH2C || s.variant == variantGRPC:
		return " http2"
	}
	return ""
}

// nginxUpstream configures nginx as an upstream for HTTP/2 in the clear.
func nginxUpstream(s setup) (args, env []string, err error) {
	path, err := s.write("upstream.conf", fmt.Sprintf(`
daemon off;
worker_processes 1;
pid %[1]s;
error_log %[2]s warn;
events { worker_connections 4096; }
http {
    client_body_temp_path %[3]s; proxy_temp_path %[3]s; fastcgi_temp_path %[3]s; uwsgi_temp_path %[3]s; scgi_temp_path %[3]s;
    access_log off;
    keepalive_requests 1000000000;
    server { listen 127.0.0.1:%[4]d http2; location / { return 200 "%[5]s"; } }
}
`, s.path("upstream.pid"), s.path("upstream.log"), s.path("upstream.tmp"), s.port, directBody()))
	return []string{"-p", s.dir, "-e", s.path("upstream.log"), "-c", path}, nil, err
}
