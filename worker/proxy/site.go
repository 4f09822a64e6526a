package proxy

import (
	"crypto/tls"
	"sync/atomic"
	"time"

	"pingap/message"
	"pingap/plugins"
	"pingap/worker/errorpage"
	"pingap/worker/http1"
	"pingap/worker/http2/server"
	"pingap/worker/mirror"
	"pingap/worker/route"
	"pingap/worker/tally"
	"pingap/worker/trace"
	"pingap/worker/upstream"
)

// Site is everything that requests are served from, built from one version of the configuration. It
// never changes; a new one takes its place with one pointer. A request uses the one it began with.
type Site struct {
	// Version and Sha name the configuration.
	Version uint64
	Sha     string
	// Servers are indexed by the number that connections were accepted with. A number stays with its server over all sites; an
	// entry is nil where the configuration has none any more. Connections are then served from the last site that had it.
	Servers []*Server
	// IdleGrace is how long idle connections stay usable whose server this site has not, IdleSpread the time after it in
	// which they are closed.
	IdleGrace, IdleSpread time.Duration
	// Upstreams are all upstreams by name, for locations and plugins that choose one by request.
	Upstreams map[string]*upstream.Upstream
	// Trusted are the peers whose forwarded fields are believed; nil for nobody.
	Trusted *route.Trusted
	// ErrorPage renders error pages.
	ErrorPage *errorpage.Page
}

// Logger takes the record of every request. It must not keep it.
type Logger interface {
	Log(*message.Record)
}

// Server is what a listener serves.
type Server struct {
	Name string
	// Table finds a location; Locations holds what the site binds to each of its locations.
	Table     *route.Table
	Locations map[*route.Location]*Location
	// Log may be nil.
	Log Logger
	// Tracer traces the requests; nil for none.
	Tracer *trace.Tracer
	// RawPath tells that locations match raw paths.
	RawPath bool
	// ServerTiming adds a Server-Timing field to proxied responses.
	ServerTiming bool
	// Limits bound request heads.
	Limits http1.Limits
	// HeaderTimeout is the longest a request head may take from its first byte, KeepAliveTimeout the
	// longest an idle connection is kept, ReadTimeout and WriteTimeout the longest that a body may
	// make no progress. All positive.
	HeaderTimeout, KeepAliveTimeout, ReadTimeout, WriteTimeout time.Duration
	// KeepAliveRequests is the number of requests after which a connection is closed, 0 for no limit.
	KeepAliveRequests uint64

	// Uncounted leaves its connections out of the figures of a drain.
	Uncounted bool
	// TLS makes the server one of TLS; nil for one in the clear.
	TLS *tls.Config
	// HandshakeTimeout is the longest that a handshake may take.
	HandshakeTimeout time.Duration
	// HTTP2 serves connections whose client chose HTTP/2: by ALPN, which TLS has to offer, and with H2C in the clear. nil for none.
	HTTP2 *server.Engine
	H2C   bool
	// GRPCWeb allows locations to translate gRPC-web.
	GRPCWeb bool
	// ProxyProtocol takes the addresses of connections from what trusted peers say; nil for nobody.
	ProxyProtocol *ProxyProtocol

	// Metrics is the page of metrics; nil for none.
	Metrics *Metrics

	// Counts counts for its metrics; nil for none.
	Counts *tally.Server

	// Processing counts requests in process in this worker. It outlives the site.
	Processing *atomic.Int64
}

// Slots counts the requests in process of a location over all workers.
type Slots interface {
	// Acquire takes a slot unless max are taken.
	Acquire(max int64) bool
	Release()
}

// Location is a location as one site binds it.
type Location struct {
	Route *route.Location
	// Upstream is the upstream that the configuration names; nil for none, or if it is a variable.
	Upstream *upstream.Upstream
	// Plugins is nil for none.
	Plugins *plugins.Chain
	// MaxBody is the largest request body in bytes, 0 for no limit.
	MaxBody int64
	// MaxProcessing limits requests in process; Slots counts them and is nil without a limit.
	MaxProcessing int64
	Slots         Slots
	// Mirror is where copies of the requests go; nil for nowhere.
	Mirror *mirror.Target
	// MaxRetries is how often another backend is tried, RetryWindow until when after the start
	// of the request, 0 for any time.
	MaxRetries  int
	RetryWindow time.Duration
	// TunnelIdle is how long an upgraded connection may be silent in both directions.
	TunnelIdle time.Duration
	// DrainTimeout is how long tunnels, event streams and long downloads may go on while the worker drains; 0 leaves it to
	// the worker.
	DrainTimeout time.Duration
	// GRPCWeb translates gRPC-web to gRPC.
	GRPCWeb bool
	// Counts counts for the metrics of the server that this one belongs to; nil for none.
	Counts *tally.Location
	// Untraced keeps its requests out of traces.
	Untraced bool
	// ChangesHeaders tells that Route.RequestHeaders has something to do.
	ChangesHeaders bool
}
