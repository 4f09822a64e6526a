package plugins

import (
	"strings"

	"pingap/config"
)

// builtins are the instances that need no table: ordinary plugins with fixed parameters.
// pingap:admin is none of them: --admin makes a table of that name.
func builtins() []*config.Plugin {
	return []*config.Plugin{
		{Name: "pingap:acceptEncodingAdjustment", Category: "accept_encoding",
			Params: map[string]any{"encodings": "zstd, br, gzip", "only_one_encoding": true}},
		{Name: "pingap:compression", Category: "compression", Params: compressionLevels("")},
		{Name: "pingap:compressionUpstream", Category: "compression", Params: compressionLevels("upstream")},
		{Name: "pingap:ping", Category: "ping", Params: map[string]any{"path": "/ping"}},
		{Name: "pingap:requestId", Category: "request_id"},
		{Name: "pingap:stats", Category: "stats", Params: map[string]any{"path": "/stats"}},
	}
}

func compressionLevels(mode string) map[string]any {
	return map[string]any{"gzip_level": int64(6), "br_level": int64(6), "zstd_level": int64(6), "mode": mode}
}

// categories are all that Pingap has. One without a factory is not built yet: its plugins warn and
// are left out.
func categories() []string {
	return strings.Fields(`accept_encoding admin basic_auth cache combined_auth compression cors csrf
		directory forward_auth geo_restriction image_optim ip_restriction jwt key_auth limit mock ping
		redirect referer_restriction request_id response_headers stats sub_filter traffic_splitting
		ua_restriction`)
}
