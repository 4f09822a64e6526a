package config

// Location is one table [locations.X]: which requests it takes and what happens to them.
type Location struct {
	Name                      string   `toml:"-"`
	Host                      string   `toml:"host" class:"hot" help:"Comma list of hosts: name, *.name (one or more labels in front) or ~regex; empty is any."`
	Path                      string   `toml:"path" class:"hot" help:"Prefix of the path, =exact or ~regex; empty is any."`
	MatchHeaders              []string `toml:"match_headers" class:"hot" help:"Conditions on request fields, name:value or name; all must hold."`
	MatchQuery                []string `toml:"match_query" class:"hot" help:"Conditions on the query, name:value or name; all must hold."`
	MatchCookies              []string `toml:"match_cookies" class:"hot" help:"Conditions on cookies, name:value or name; all must hold."`
	Weight                    int      `toml:"weight" class:"hot" default:"-1" range:"0..65535" help:"Order among the locations of a server, highest first; computed from path and host when absent."`
	Upstream                  string   `toml:"upstream" class:"hot" help:"Name of the upstream, or $name of a variable that holds it. May be empty when a plugin answers."`
	Plugins                   []string `toml:"plugins" class:"hot" help:"Names of the plugins, in the order they run."`
	Rewrite                   string   `toml:"rewrite" class:"hot" help:"Regex and replacement of the path, with a blank between: first match, $1 and $name refer to groups."`
	ProxySetHeaders           []string `toml:"proxy_set_headers" class:"hot" help:"Request fields to the upstream, name:value, in place of fields of the same name."`
	ProxyAddHeaders           []string `toml:"proxy_add_headers" class:"hot" help:"Request fields to the upstream, name:value, in addition to fields of the same name."`
	EnableReverseProxyHeaders bool     `toml:"enable_reverse_proxy_headers" class:"hot" help:"Set X-Real-IP, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Port."`
	ClientMaxBodySize         Size     `toml:"client_max_body_size" class:"hot" help:"Largest request body; beyond it 413. 0 is no limit."`
	MaxProcessing             int      `toml:"max_processing" class:"hot" range:"0..2147483647" help:"Requests at once over all workers; beyond it 429. 0 is no limit."`
	MaxRetries                int      `toml:"max_retries" class:"hot" default:"1" range:"0..255" help:"How often another backend is tried: when connecting fails, as nothing of the request has been sent then; when a request that may arrive twice got no answer; and for retry_status of the upstream. 0 is never; one request tries at most 16 backends."`
	MaxRetryWindow            Duration `toml:"max_retry_window" class:"hot" help:"How long after the start of a request it may still be retried; 0s is no limit."`
	TunnelIdleTimeout         Duration `toml:"tunnel_idle_timeout" class:"hot" default:"10m" help:"How long an upgraded connection (WebSocket) may be idle in both directions; 0s is no limit."`
	DrainTimeout              Duration `toml:"drain_timeout" class:"hot" help:"How long upgraded connections, event streams and downloads that are long (over 16 MiB, or of unknown length) may go on in a worker that is to end; 0s is basic.drain_long_timeout. A stop of the instance ends them at basic.grace_period."`
	GRPCWeb                   bool     `toml:"grpc_web" class:"hot" help:"Translate gRPC-Web to gRPC; needs the module grpc-web of the server."`
	Mirror                    string   `toml:"mirror" class:"hot" help:"Name of an upstream that gets a copy of each request; its answers are thrown away, and it delays nothing."`
	MirrorPercent             int      `toml:"mirror_percent" class:"hot" default:"100" range:"0..100" unit:"percent" help:"Share of the requests that are mirrored."`
	MirrorMaxBody             Size     `toml:"mirror_max_body" class:"hot" default:"64kb" help:"Requests with a longer body are not mirrored."`
	Tracing                   bool     `toml:"tracing" class:"hot" default:"true" help:"Trace the requests, where the server has an otlp_exporter."`
	Includes                  []string `toml:"includes" class:"same" help:"Names of storages whose keys are taken over, in place of keys of the same name here."`
	Remark                    string   `toml:"remark" class:"same" help:"A comment."`
}
