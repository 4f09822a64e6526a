package config

// Basic is the table [basic]: what holds for all processes.
type Basic struct {
	Name                      string   `toml:"name" class:"hot" help:"Label of this instance: the panel shows it beside its own name and in the titles of its pages, and notifications that people read (webhook_type wecom, dingtalk or slack) have a line with it. Empty is none."`
	Workers                   int      `toml:"workers" class:"roll" range:"0..256" help:"Number of worker processes; 0 is 1 on up to 2 cores, else 2. More isolate, they do not speed up."`
	Threads                   int      `toml:"threads" class:"roll" range:"0..4096" help:"Threads that run Go code, all workers together; 0 is one per core."`
	User                      string   `toml:"user" class:"roll" help:"User that control and workers run as when started as root; empty is pingap if it exists, else nobody."`
	Group                     string   `toml:"group" class:"roll" help:"Group that control and workers run as when started as root; empty is the group of user."`
	AllowRoot                 bool     `toml:"allow_root" class:"roll" help:"Let control and workers stay root when started as root and no user is set."`
	MaxConnections            int      `toml:"max_connections" class:"hot" range:"0.." help:"Client connections at once per worker; 0 is half of the open descriptors that are allowed. At the limit accepting pauses, and before that where active connections could run out of descriptors, of which each may need two."`
	ErrorTemplate             string   `toml:"error_template" class:"hot" help:"Body of error pages with {{version}}, {{content}} and {{error_type}}; a text that starts with { is sent as JSON. Empty is a built-in HTML page."`
	TrustedProxies            []string `toml:"trusted_proxies" class:"hot" help:"Addresses and networks whose X-Forwarded-For and X-Real-IP are believed; empty believes nobody."`
	ConfigHistory             int      `toml:"config_history" class:"hot" default:"20" range:"0..1000" help:"Applied configurations that are kept in the state directory, secrets included, for pingap config and pingap rollback; 0 keeps none."`
	GracePeriod               Duration `toml:"grace_period" class:"hot" default:"5m" help:"How long requests in flight may take after a stop is asked for."`
	GracefulShutdownTimeout   Duration `toml:"graceful_shutdown_timeout" class:"hot" default:"5s" help:"How long workers may take to close what is left once grace_period is over at a stop; then they are killed. 0s is 5s."`
	DrainIdleGrace            Duration `toml:"drain_idle_grace" class:"hot" default:"2s" help:"How long a connection that is idle when its worker is to end, or its listener is removed, stays usable; the next answer on it closes it."`
	DrainSpread               Duration `toml:"drain_spread" class:"hot" default:"10s" help:"Time after drain_idle_grace over which connections that are still idle are closed, not all at once."`
	DrainLongTimeout          Duration `toml:"drain_long_timeout" class:"hot" default:"1h" help:"How long tunnels (WebSocket), event streams and long downloads may go on in a worker that is to end, where their location sets no drain_timeout; never less than grace_period. A stop of the instance ends them at grace_period."`
	MaxDrainingGenerations    int      `toml:"max_draining_generations" class:"hot" default:"4" range:"1..1000" help:"Generations of workers that may be finishing at a time; beyond it the oldest has to hurry."`
	MaxDrainingMemory         Size     `toml:"max_draining_memory" class:"hot" help:"Memory that workers which are finishing may have together; beyond it the oldest has to hurry. 0 is 30 % of what there is."`
	OrphanGrace               Duration `toml:"orphan_grace" class:"hot" default:"30s" help:"How long workers serve on when their supervisor is gone; a new one started meanwhile takes them over. After it they finish what they have and end."`
	UpstreamKeepalivePoolSize int      `toml:"upstream_keepalive_pool_size" class:"hot" default:"128" range:"0.." help:"Idle connections kept per upstream and worker where the upstream sets no max_idle_connections; 0 is the default."`
	ACMEHTTPAddr              string   `toml:"acme_http_addr" class:"hot" default:"0.0.0.0:80" help:"Where a server that answers nothing but challenges of a CA listens, if a certificate is proved by http-01 and no server listens on port 80; comma list. Empty is nowhere: something in front of pingap passes /.well-known/acme-challenge/ on to one of its servers."`
	PidFile                   string   `toml:"pid_file" class:"roll" help:"File that gets the process id of the supervisor; empty is pingap.pid in the run directory."`
	ErrorLog                  string   `toml:"error_log" class:"roll" help:"File that gets standard error when running as a daemon."`
	LogLevel                  string   `toml:"log_level" class:"hot" help:"Level of the application log: debug, info, warn or error, or a comma list of these and component=level, such as info,control=debug. Empty is RUST_LOG, else info."`
	LogFormatJSON             bool     `toml:"log_format_json" class:"hot" help:"Write the application log as JSON. The journal gets fields in any case."`
	LogBufferedSize           Size     `toml:"log_buffered_size" class:"roll" help:"Buffer of the application log; below 4096 bytes it is not buffered."`
	LogCompressAlgorithm      string   `toml:"log_compress_algorithm" class:"hot" help:"Compress old files of access logs and of --log, once a day: gzip, any other word is zstd, empty is off. A log whose path has the option compression goes its own way, at once. Only files that this instance has named itself are touched."`
	LogCompressLevel          int      `toml:"log_compress_level" class:"hot" range:"0..255" help:"Level of log_compress_algorithm, at most 9 for gzip and 22 for zstd; 0 is 9."`
	LogCompressDaysAgo        int      `toml:"log_compress_days_ago" class:"hot" default:"7" range:"0..65535" unit:"days" help:"Old log files that were neither written nor read for longer than this are compressed."`
	LogCompressTimePointHour  int      `toml:"log_compress_time_point_hour" class:"hot" range:"0..23" unit:"hours" help:"Local hour in which old log files are compressed."`
	LiveFigures               bool     `toml:"live_figures" class:"hot" default:"true" help:"Count the requests of each server, location and upstream for pingap top and the panel, also where a server has no prometheus_metrics. It costs about a hundredth of a proxied request; with more than some thousand locations and upstreams only servers with prometheus_metrics are counted."`
	LogRedactHeaders          []string `toml:"log_redact_headers" class:"hot" help:"Names of headers whose values access logs show as ***, such as Authorization, Cookie (which all {~name} are of), Set-Cookie or Referer. Empty hides none."`
	LogRedactQuery            []string `toml:"log_redact_query" class:"hot" help:"Names of query parameters whose values access logs show as ***, in {uri}, {query} and {referer}, and traces as REDACTED; the case and escapes in a request's names do not matter. Empty hides none."`
	Webhook                   Secret   `toml:"webhook" class:"hot" help:"URL that events are sent to, by POST; http or https. Empty sends nothing."`
	WebhookType               string   `toml:"webhook_type" class:"hot" help:"Form of what is sent: wecom, dingtalk or slack; normal, and anything else, is plain JSON."`
	WebhookNotifications      []string `toml:"webhook_notifications" class:"hot" help:"Names of the events to send, of backend_status, upstream_status, service_discover_fail, tls_validity, parse_certificate_fail, lets_encrypt, diff_config, reload_config, reload_config_fail, restart, restart_fail, worker_exit, rollback and upgrade; empty sends nothing. All are logged in any case."`
	WebhookSecret             Secret   `toml:"webhook_secret" class:"hot" help:"Key that requests to the webhook are signed with: Pingap-Signature has the time t in seconds, and as v1 the HMAC-SHA256, in hex, of t, a dot and the body. Empty signs nothing."`
	WebhookTimeout            Duration `toml:"webhook_timeout" class:"hot" default:"30s" range:"100ms..5m" help:"How long one attempt to send an event may take."`
	WebhookRetries            int      `toml:"webhook_retries" class:"hot" default:"8" range:"0..100" help:"Further attempts to send an event that got no answer, or 408, 425, 429 or 5xx; the time between them doubles from a second to a minute, and is never less than Retry-After wants."`
	WebhookRetryTime          Duration `toml:"webhook_retry_time" class:"hot" default:"10m" range:"0s..24h" help:"How long after the first attempt an event is sent again at most."`
	WebhookQueue              int      `toml:"webhook_queue" class:"hot" default:"1000" range:"1..10000" help:"Events that wait to be sent at most; beyond it, and beyond 8 MiB, the oldest is dropped and counted."`
	WebhookParallel           int      `toml:"webhook_parallel" class:"hot" default:"1" range:"1..16" help:"Events that are sent at a time. With 1 all come in their order, with more those about one object."`
	Sentry                    Secret   `toml:"sentry" class:"roll" help:"DSN that errors are reported to." later:"Sentry"`
	Pyroscope                 Secret   `toml:"pyroscope" class:"roll" help:"URL that profiles are sent to." later:"Pyroscope"`
	AutoRestartCheckInterval  Duration `toml:"auto_restart_check_interval" class:"same" default:"90s" help:"Accepted, without effect: changes are noticed as they happen." noeffect:"changes are noticed as they happen"`
	UpgradeSock               string   `toml:"upgrade_sock" class:"same" help:"Accepted, without effect: the supervisor keeps the sockets." noeffect:"the supervisor keeps the sockets"`
	WorkStealing              bool     `toml:"work_stealing" class:"same" default:"true" help:"Accepted, without effect: the Go scheduler always steals work." noeffect:"the Go scheduler always steals work"`
	ListenerTasksPerFd        int      `toml:"listener_tasks_per_fd" class:"same" default:"1" range:"0.." help:"Accepted, without effect: workers decide how they accept." noeffect:"workers decide how they accept"`
	CacheDirectory            string   `toml:"cache_directory" class:"same" old:"true" help:"Removed by Pingap: the cache is configured in its plugin. Accepted, without effect."`
	CacheMaxSize              string   `toml:"cache_max_size" class:"same" old:"true" help:"Removed by Pingap: the cache is configured in its plugin. Accepted, without effect."`
}
