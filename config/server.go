package config

// Server is one table [servers.X]: addresses to listen on and the locations behind them.
type Server struct {
	Name                   string   `toml:"-"`
	Files                  Files    `toml:"-"` // that keys name
	Addr                   string   `toml:"addr" class:"listeners" required:"true" help:"Comma list of addresses to listen on: host:port, [v6]:port or unix:/path."`
	Locations              []string `toml:"locations" class:"hot" help:"Names of the locations served; they are tried by weight, then in this order."`
	AccessLog              string   `toml:"access_log" class:"hot" help:"Format of the access log, optionally after a file: [path[?options] ]format, where format is combined, common, short, tiny, json or text with {tags}. Empty is no access log. docs/logs.md lists targets and options."`
	AccessLogSample        Share    `toml:"access_log_sample" class:"hot" default:"1" range:"0..1" help:"Share of the requests that get a line in the access log, each by chance: 0.01 or 1% is one in a hundred. Requests that failed (status 5xx, 499 or none) are always logged."`
	AccessLogStatus        []string `toml:"access_log_status" class:"hot" help:"Only requests answered with these statuses are logged: 404, 4xx or 500-599 each; 499 is a client that left. Empty is every status."`
	AccessLogMinTime       Duration `toml:"access_log_min_time" class:"hot" range:"0s.." help:"Only requests that took at least this long, from the first byte to the end, are logged; 0s is no bound. With access_log_status both must hold."`
	PathMatching           string   `toml:"path_matching" class:"hot" default:"normalized" enum:"normalized|raw" help:"Which path locations and plugins see: with dot segments, repeated slashes and escapes of unreserved bytes resolved, or as sent. Upstreams always get it as sent."`
	HeaderMaxSize          Size     `toml:"header_max_size" class:"hot" default:"64kib" range:"1kib..1mib" help:"Largest request head, request line included; beyond it 431."`
	HeaderMaxFields        int      `toml:"header_max_fields" class:"hot" default:"128" range:"1..10000" help:"Most fields in a request head; beyond it 431."`
	TargetMaxLength        Size     `toml:"target_max_length" class:"hot" default:"8kib" range:"64..1mib" help:"Longest request target; beyond it 414."`
	HeaderTimeout          Duration `toml:"header_timeout" class:"hot" default:"30s" range:"1ms..1h" help:"How long a request head may take from its first byte."`
	KeepaliveTimeout       Duration `toml:"keepalive_timeout" class:"hot" default:"60s" range:"0s.." help:"How long a connection may be idle between requests; 0s closes after each response."`
	KeepaliveRequests      int      `toml:"keepalive_requests" class:"hot" default:"10000" range:"0.." help:"Requests served on one connection before it is closed; 0 is no limit."`
	DownstreamReadTimeout  Duration `toml:"downstream_read_timeout" class:"hot" default:"60s" help:"How long a request body may pause; 0s is no limit."`
	DownstreamWriteTimeout Duration `toml:"downstream_write_timeout" class:"hot" default:"60s" help:"How long a client may take none of the response; 0s is no limit."`
	TCPIdle                Duration `toml:"tcp_idle" class:"hot" help:"Idle time before the first TCP keep-alive probe. Probes are on when tcp_idle, tcp_interval and tcp_probe_count are all set, or tcp_user_timeout is."`
	TCPInterval            Duration `toml:"tcp_interval" class:"hot" help:"Time between TCP keep-alive probes."`
	TCPUserTimeout         Duration `toml:"tcp_user_timeout" class:"hot" help:"How long sent data may stay without acknowledgement before the connection is dropped."`
	TCPProbeCount          int      `toml:"tcp_probe_count" class:"hot" range:"0..127" help:"Unanswered TCP keep-alive probes after which the connection is dropped."`
	TCPFastopen            int      `toml:"tcp_fastopen" class:"roll" range:"0..65535" help:"Length of the TCP Fast Open queue; 0 is off."`
	ReusePort              bool     `toml:"reuse_port" class:"roll" help:"Set SO_REUSEPORT on the listening sockets."`
	EnableServerTiming     bool     `toml:"enable_server_timing" class:"hot" help:"Add a Server-Timing field to proxied responses."`
	Threads                int      `toml:"threads" class:"same" range:"0..4096" help:"Accepted, without effect: all servers share the threads of basic.threads." noeffect:"all servers share the threads of basic.threads"`
	GlobalCertificates     bool     `toml:"global_certificates" class:"roll" help:"Serve TLS with the certificates of [certificates]."`
	EnabledH2              bool     `toml:"enabled_h2" class:"hot" help:"Serve HTTP/2: by ALPN over TLS, with prior knowledge over plain TCP."`
	TLSCipherList          string   `toml:"tls_cipher_list" class:"hot" help:"Cipher suites up to TLS 1.2 as a colon list of OpenSSL's names and groups; their order means nothing. Empty is Go's choice."`
	TLSCiphersuites        string   `toml:"tls_ciphersuites" class:"hot" help:"Cipher suites of TLS 1.3, colon list. It is checked, but all of them stay on."`
	TLSMinVersion          string   `toml:"tls_min_version" class:"hot" default:"TLSv1.2" help:"Oldest TLS version: TLSv1.1, TLSv1.2 or TLSv1.3."`
	TLSMaxVersion          string   `toml:"tls_max_version" class:"hot" default:"TLSv1.3" help:"Newest TLS version: TLSv1.1, TLSv1.2 or TLSv1.3."`
	TLSHandshakeTimeout    Duration `toml:"tls_handshake_timeout" class:"hot" default:"10s" range:"100ms..1h" help:"How long a TLS handshake may take from the first byte of the connection."`
	ClientAuth             string   `toml:"client_auth" class:"hot" default:"off" enum:"off|request|require" help:"Certificates of clients: not asked for; asked for, and verified where there is one; or required."`
	ClientAuthCA           string   `toml:"client_auth_ca" class:"hot" file:"pem" help:"Certificates of the CAs that client certificates must come from: PEM text, a file, or base64 of PEM."`
	ProxyProtocol          string   `toml:"proxy_protocol" class:"hot" default:"off" enum:"off|accept|require" help:"PROXY protocol, version 1 or 2, in front of connections from proxy_protocol_trusted: not read, read where there is one, or required. Connections from elsewhere never have it read, and with require are closed."`
	ProxyProtocolTrusted   []string `toml:"proxy_protocol_trusted" class:"hot" help:"Addresses and networks whose PROXY protocol is believed."`
	H2MaxStreams           int      `toml:"h2_max_streams" class:"hot" default:"256" range:"1..10000" help:"Requests at once on one HTTP/2 connection."`
	H2Window               Size     `toml:"h2_window" class:"hot" default:"1mib" range:"65535..64mib" help:"Bytes of a request body over HTTP/2 that may be on their way before the backend has taken them, per stream."`
	PrometheusMetrics      Secret   `toml:"prometheus_metrics" class:"hot" help:"Path that serves metrics, which begins with a slash and is compared exactly, before all locations; or URL that they are pushed to: http or https of a Pushgateway, otlp+http, otlp+https, otlp+grpc or otlp+grpcs of a collector. User and password in it are sent as basic authentication, $HOSTNAME is the name of the host, interval (1s or more, default 60s) is how often, and ca the absolute path of PEM: the CAs, and no others, that the certificate is verified with, read when pushing begins; other parameters go along."`
	PrometheusMetricsAllow []string `toml:"prometheus_metrics_allow" class:"hot" help:"Addresses and networks of the clients that may see the path of prometheus_metrics, others get 403; unix: are those of unix sockets. Empty are all."`
	OTLPExporter           Secret   `toml:"otlp_exporter" class:"hot" help:"URL of an OpenTelemetry collector that traces are sent to, over OTLP/gRPC or OTLP/HTTP; its query has the parameters of docs/tracing.md. Empty is no traces."`
	Modules                []string `toml:"modules" class:"hot" help:"Extra modules; only grpc-web has a meaning."`
	Includes               []string `toml:"includes" class:"same" help:"Names of storages whose keys are taken over, in place of keys of the same name here."`
	Remark                 string   `toml:"remark" class:"same" help:"A comment."`
}
