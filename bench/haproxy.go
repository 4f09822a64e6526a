package main

import (
	"fmt"
	"strings"

	"pingap/bench/internal/judge"
)

// haproxyCommand configures HAProxy. It has no log files; it writes the lines to its standard output, which is a file here.
// The 10,000 locations are a prefix map, as its manual recommends for many.
func haproxyCommand(s setup) (args, env []string, err error) {
	var b strings.Builder
	fmt.Fprintf(&b, `
global
    nbthread %d
    maxconn 15000
    no strict-limits
    log stdout format raw local0
defaults
    mode http
    log global
    log-format '%%ci - - [%%tr] %%{+Q}r %%ST %%B %%{+Q}[capture.req.hdr(0)] %%{+Q}[capture.req.hdr(1)]'
    timeout client 75s
    timeout server 60s
    timeout connect 5s
    timeout http-keep-alive 75s
    http-reuse always
    unique-id-format %%{+X}o%%ci%%cp%%Ts%%rt%%pid
    unique-id-header X-Request-Id
frontend web
    bind 127.0.0.1:%d backlog 4096%s
    http-request capture req.hdr(Referer) len 128
    http-request capture req.hdr(User-Agent) len 128
    http-response set-header X-Request-Id %%[unique-id]
    http-request return status 200 content-type text/plain string "%s" if { path /direct }
`, s.threads, s.port, haproxyBind(s), directBody())
	if s.variant == variantLocations {
		var m strings.Builder
		for i := range locations {
			fmt.Fprintf(&m, "%s gen\n", locationPrefix(i))
		}
		path, err := s.write("prefixes.map", m.String())
		if err != nil {
			return nil, nil, err
		}
		fmt.Fprintf(&b, "    use_backend %%[path,map_beg(%s,gen)]\n", path)
	}
	fmt.Fprintf(&b, "    default_backend gen\nbackend gen\n    server gen 127.0.0.1:%d pool-max-conn %d%s\n", s.upstream, s.pool(), haproxyServer(s))
	path, err := s.write("haproxy.cfg", b.String())
	return []string{"-db", "-f", path}, nil, err
}

func haproxyBind(s setup) string {
	switch {
	case s.variant.tls():
		return " ssl crt " + s.cert(judge.BothFile) + " alpn h2,http/1.1 ssl-min-ver TLSv1.2"
	case s.variant == variantH2C || s.variant == variantGRPC:
		return " proto h2"
	}
	return ""
}

func haproxyServer(s setup) string {
	if s.variant == variantH2Up || s.variant == variantGRPC {
		return " proto h2"
	}
	return ""
}
