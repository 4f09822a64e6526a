package config

// Upstream is one table [upstreams.X]: a set of backends and how they are reached.
type Upstream struct {
	Name                                            string   `toml:"-"`
	Files                                           Files    `toml:"-"` // that keys name
	Addrs                                           []string `toml:"addrs" class:"hot" required:"true" help:"Backends: host[:port], [v6][:port] or unix:/path, then a weight and the word backup where wanted: '10.0.0.1:80 5 backup'. The port is 443 with sni, else 80; the weight 1. A backup gets requests only while no other backend can. A name such as _http._tcp.example.com is looked up as SRV with discovery dns. With docker discovery: label[=value][:port][ weight][ backup], the containers that run and have the label."`
	Discovery                                       string   `toml:"discovery" class:"hot" help:"How addrs become backends: static, dns, docker or transparent. Empty is static when all are IP addresses, else dns."`
	Algo                                            string   `toml:"algo" class:"hot" default:"round_robin" help:"Choice of a backend: round_robin, least_conn, random2, or hash:url, hash:path, hash:ip, hash:header:name, hash:cookie:name, hash:query:name."`
	ConnectionTimeout                               Duration `toml:"connection_timeout" class:"hot" default:"10s" help:"How long connecting may take; 0s is no limit."`
	TotalConnectionTimeout                          Duration `toml:"total_connection_timeout" class:"hot" help:"How long connecting and the TLS handshake may take together; 0s gives the handshake connection_timeout once more."`
	ReadTimeout                                     Duration `toml:"read_timeout" class:"hot" default:"60s" help:"How long the backend may send nothing of a response; 0s is no limit."`
	WriteTimeout                                    Duration `toml:"write_timeout" class:"hot" default:"60s" help:"How long the backend may take none of a request; 0s is no limit."`
	IdleTimeout                                     Duration `toml:"idle_timeout" class:"hot" default:"60s" help:"How long an idle connection is kept; 0s keeps it until the backend closes."`
	MaxIdleConnections                              int      `toml:"max_idle_connections" class:"hot" range:"0..1000000" help:"Idle connections kept per worker; 0 is basic.upstream_keepalive_pool_size."`
	TCPIdle                                         Duration `toml:"tcp_idle" class:"hot" help:"Idle time before the first TCP keep-alive probe. Probes are on when tcp_idle, tcp_interval and tcp_probe_count are all set, or tcp_user_timeout is."`
	TCPInterval                                     Duration `toml:"tcp_interval" class:"hot" help:"Time between TCP keep-alive probes."`
	TCPUserTimeout                                  Duration `toml:"tcp_user_timeout" class:"hot" help:"How long sent data may stay without acknowledgement before the connection is dropped."`
	TCPProbeCount                                   int      `toml:"tcp_probe_count" class:"hot" range:"0..16" help:"Unanswered TCP keep-alive probes after which the connection is dropped."`
	TCPRecvBuf                                      Size     `toml:"tcp_recv_buf" class:"hot" help:"Receive buffer of the socket; 0 leaves it to the kernel."`
	TCPFastOpen                                     bool     `toml:"tcp_fast_open" class:"hot" help:"Send data with the first packet of a connection."`
	IPv4Only                                        bool     `toml:"ipv4_only" class:"hot" help:"Use only the IPv4 addresses of a name."`
	UpdateFrequency                                 Duration `toml:"update_frequency" class:"hot" help:"Longest time between two look-ups of a name, 5s to 5m; they are made by the TTL of the answers, within the same bounds. How often the docker engine is asked, besides its events: 0s is 60s. Static upstreams are not looked up again."`
	DNSServer                                       string   `toml:"dns_server" class:"hot" help:"Comma list of IP addresses of name servers, each with a port where it is not 53; empty are those of the system, and its hosts file."`
	DNSDomain                                       string   `toml:"dns_domain" class:"hot" help:"Domain that is tried behind names, after those of dns_search."`
	DNSSearch                                       string   `toml:"dns_search" class:"hot" help:"Comma list of domains that are tried behind names; a name with a dot is tried alone first. Empty are those of the system where dns_server is empty too."`
	SNI                                             string   `toml:"sni" class:"hot" help:"Name sent in TLS; not empty switches TLS to the backends on, $host is the host of the request."`
	VerifyCert                                      bool     `toml:"verify_cert" class:"hot" default:"true" help:"Verify chain and name of the backend's certificate."`
	CA                                              string   `toml:"ca" class:"hot" file:"pem" help:"Certificates of the CAs that the backend's certificate must come from: PEM text, a file, or base64 of PEM. Empty are those of the system."`
	ClientCert                                      string   `toml:"client_cert" class:"hot" file:"certificate" help:"Certificate and chain shown to backends that ask for one: PEM text, a file, or base64 of PEM."`
	ClientKey                                       Secret   `toml:"client_key" class:"hot" file:"key" help:"The private key of client_cert: PEM text, a file, or base64 of PEM."`
	ALPN                                            string   `toml:"alpn" class:"hot" default:"H1" help:"HTTP version to the backends: H1, H2 or H2H1; anything else is H1."`
	ProxyProtocol                                   string   `toml:"proxy_protocol" class:"hot" default:"off" enum:"off|v1|v2" help:"Version of the PROXY protocol that tells backends the two ends of the client's connection. Connections are then reused only for the same client connection."`
	MaxH2Streams                                    int      `toml:"max_h2_streams" class:"hot" range:"1..2147483647" default:"1" help:"Requests at once on one HTTP/2 connection."`
	HealthCheck                                     string   `toml:"health_check" class:"hot" help:"URL of the health check, tcp, http, https or grpc, with its parameters in the query; empty checks that the backend accepts connections." later:"health checks"`
	HealthInitial                                   string   `toml:"health_initial" class:"hot" default:"healthy" enum:"healthy|first_result|first_success" help:"What a backend is before its health check has a result: healthy; first_result: it gets no requests until the first result, which alone decides; first_success: none until checks succeeded as often as success says."`
	FailOpen                                        bool     `toml:"fail_open" class:"hot" help:"When no backend is healthy, choose among all of them instead of answering 503. Those taken out by hand stay out."`
	EjectConsecutiveFailures                        int      `toml:"eject_consecutive_failures" class:"hot" range:"0..4294967295" help:"Failures of requests in a row, over all workers, that take a backend out for eject_duration: no connection, a timeout, a broken answer, or a status of eject_status. 0 is off."`
	EjectStatus                                     string   `toml:"eject_status" class:"hot" default:"502,503,504" help:"Comma list of status codes from a backend that count as failure for eject_consecutive_failures."`
	EjectDuration                                   Duration `toml:"eject_duration" class:"hot" default:"30s" help:"How long a backend stays out; each time in a row twice as long, up to ten times."`
	EjectMaxPercent                                 int      `toml:"eject_max_percent" class:"hot" default:"50" range:"0..100" unit:"percent" help:"Share of the backends that eject_consecutive_failures may have out at once; of one backend or more, at least one may."`
	SlowStart                                       Duration `toml:"slow_start" class:"hot" help:"How long a backend that becomes healthy, comes back, or is new beside others gets less than its share, rising from a tenth; 0s is off. Not with hash."`
	MaxRequestsPerBackend                           int      `toml:"max_requests_per_backend" class:"hot" range:"0..1000000" help:"Requests at once to one backend, over all workers; 0 is no limit. Beyond it requests go to other backends, then wait in the queue, else 503."`
	QueueSize                                       int      `toml:"queue_size" class:"hot" range:"0..1000000" help:"Requests of a worker that may wait for a backend when none is available; 0 is none."`
	QueueTimeout                                    Duration `toml:"queue_timeout" class:"hot" default:"10s" help:"How long a request waits in the queue before 503."`
	RetryStatus                                     string   `toml:"retry_status" class:"hot" help:"Comma list of status codes for which a request is tried at another backend, as max_retries of the location allows; empty is none."`
	RetryNonIdempotent                              bool     `toml:"retry_non_idempotent" class:"hot" help:"Retry requests that may not arrive twice (POST, PATCH and others) too, after they were sent. After a failed connect every request is retried."`
	RetryBudget                                     int      `toml:"retry_budget" class:"hot" default:"20" range:"0..100" unit:"percent" help:"Share of the requests of this upstream, in each worker, that may be retried after they were sent, with at least 10 a second; failed connects do not count. 0 is none."`
	Sticky                                          string   `toml:"sticky" class:"hot" help:"cookie:name sends each client to the backend of its first request, by a cookie that is set here."`
	EnableTracer                                    bool     `toml:"enable_tracer" class:"hot" help:"Count the connections to this upstream."`
	EnableBackendStats                              bool     `toml:"enable_backend_stats" class:"hot" help:"Count requests and failures per backend." later:"backend statistics"`
	BackendStatsInterval                            Duration `toml:"backend_stats_interval" class:"hot" default:"60s" help:"Window over which requests and failures are counted." later:"backend statistics"`
	BackendFailureStatusCode                        string   `toml:"backend_failure_status_code" class:"hot" help:"Comma list of the status codes that count as failure; empty is 500 and above." later:"backend statistics"`
	CircuitBreakMaxConsecutiveFailures              int      `toml:"circuit_break_max_consecutive_failures" class:"hot" range:"0..4294967295" help:"Failures in a row that open the breaker; 0 is off." later:"circuit breaker"`
	CircuitBreakMaxFailurePercent                   int      `toml:"circuit_break_max_failure_percent" class:"hot" range:"0..65535" unit:"percent" help:"Share of failures that opens the breaker; 0 is off." later:"circuit breaker"`
	CircuitBreakMinRequestsThreshold                int      `toml:"circuit_break_min_requests_threshold" class:"hot" default:"10" range:"0.." help:"Requests in the window below which the share is not looked at." later:"circuit breaker"`
	CircuitBreakHalfOpenConsecutiveSuccessThreshold int      `toml:"circuit_break_half_open_consecutive_success_threshold" class:"hot" default:"5" range:"0..4294967295" help:"Successes in a row that close a half-open breaker." later:"circuit breaker"`
	CircuitBreakOpenDuration                        Duration `toml:"circuit_break_open_duration" class:"hot" default:"10s" help:"How long the breaker stays open." later:"circuit breaker"`
	Includes                                        []string `toml:"includes" class:"same" help:"Names of storages whose keys are taken over, in place of keys of the same name here."`
	Remark                                          string   `toml:"remark" class:"same" help:"A comment."`
}
