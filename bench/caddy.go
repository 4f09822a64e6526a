package main

import (
	"fmt"
	"strconv"
	"strings"
)

// caddyCommand configures Caddy by a Caddyfile; its 10,000 locations are handle blocks, the only way it has.
func caddyCommand(s setup) (args, env []string, err error) {
	var b strings.Builder
	proxy := fmt.Sprintf(`reverse_proxy 127.0.0.1:%d {
			header_up X-Request-Id {http.request.uuid}
			transport http {
				keepalive_idle_conns_per_host 128
			}
		}`, s.upstream)
	fmt.Fprintf(&b, `{
	admin off
	auto_https off
}
http://:%d {
	bind 127.0.0.1
	log {
		output file %s {
			roll_disabled
		}
	}
	header X-Request-Id {http.request.uuid}
	handle /direct {
		respond "%s" 200
	}
`, s.port, s.path("access.log"), directBody())
	if s.variant == variantLocations {
		for i := range locations {
			fmt.Fprintf(&b, "\thandle %s* {\n\t\t%s\n\t}\n", locationPrefix(i), proxy)
		}
	}
	fmt.Fprintf(&b, "\thandle {\n\t\t%s\n\t}\n}\n", proxy)
	path, err := s.write("Caddyfile", b.String())
	env = []string{
		"GOMAXPROCS=" + strconv.Itoa(s.threads), "HOME=" + s.dir,
		"XDG_DATA_HOME=" + s.dir, "XDG_CONFIG_HOME=" + s.dir,
	}
	return []string{"run", "--adapter", "caddyfile", "--config", path}, env, err
}
