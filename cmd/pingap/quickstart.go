package main

import (
	"fmt"
	"strings"
)

// quickStart is the configuration that --upstream stands for: everything on
// one server goes to the given backends.
func quickStart(upstream, addr string) string {
	if addr == "" {
		addr = "0.0.0.0:80"
	}
	var backends []string
	for item := range strings.SplitSeq(upstream, ",") {
		if item = strings.TrimSpace(item); item != "" {
			backends = append(backends, tomlString(item))
		}
	}
	return fmt.Sprintf(`[servers.pingap]
addr = %s
access_log = "combined"
locations = ["pingap"]

[locations.pingap]
path = "/"
upstream = "pingap"

[upstreams.pingap]
addrs = [%s]
`, tomlString(addr), strings.Join(backends, ", "))
}

// tomlString quotes text as a basic TOML string.
func tomlString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
