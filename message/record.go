package message

import (
	"net/netip"
	"time"
)

// epoch anchors the monotonic clock of Now.
var epoch = time.Now()

// Now returns monotonic nanoseconds since the process started. It never goes back.
func Now() int64 { return int64(time.Since(epoch)) }

// Unset is the value of a duration in a Record whose phase did not happen.
const Unset int64 = -1

// Conn is what is known of a downstream connection; every exchange on it shares one value.
type Conn struct {
	// ID is unique in the worker process.
	ID uint64
	// Opened is when the connection was accepted, on the clock of Now.
	Opened int64
	// Remote and Local are the addresses of the connection; invalid for unix sockets.
	Remote netip.AddrPort
	Local  Endpoint
	// RemoteText is the peer's address without its port, as text ("unix:" for a unix socket).
	RemoteText []byte
	// TLS is what is known of the encryption, nil on a connection in the clear.
	TLS *TLS
	// Requests is the number of requests that came before the present one.
	Requests uint64
}

// TLS is what is known of an encrypted connection. It is apart from Conn, which idle connections keep.
type TLS struct {
	// Version and Cipher are OpenSSL's names of version and suite.
	Version, Cipher string
	// Handshake is the time it took, in ns.
	Handshake int64
	// ServerName is the name that the client asked for, fit to be printed; empty for none. Protocol is what ALPN came to.
	ServerName, Protocol string
	// Resumed tells a session that was resumed from a full handshake.
	Resumed bool
	// Client is the certificate that the client showed and that was verified, nil for none.
	Client *Client
}

// Client is what is known of a client's certificate, fit to be printed.
type Client struct {
	Subject     string // its distinguished name, RFC 2253
	Fingerprint string // SHA-256 of the certificate in hexadecimal
}

// Secure reports whether the connection is encrypted.
func (c *Conn) Secure() bool { return c.TLS != nil }

// Capture is a variable captured by a regular expression of host, path or rewrite.
type Capture struct {
	Name  string
	Value []byte
}

// Record is what is known of one exchange, from accept to the log line. The log, metrics and traces
// are made from it, and plugins read it. All times are nanoseconds; points in time are on the clock
// of Now; phases that did not happen are Unset.
type Record struct {
	// Conn is the downstream connection; never nil while a request is served.
	Conn *Conn
	// Request is the request as plugins and rewriting left it.
	Request Request
	// Response is the head sent to the client.
	Response Response

	// Start is when the first byte of the request was there.
	Start int64
	// Over is when the exchange was over, on the same clock; it is known when the record is shown to a log.
	Over int64
	// Anchor is a time of day, less than a second old, which At counts from; nil is when the process started.
	Anchor *time.Time
	// ClientIP is the client's address after trusted proxies were looked through (facts: client ip).
	ClientIP netip.Addr
	// ClientIPText is ClientIP as text; it may be the same memory as Conn.RemoteText.
	ClientIPText []byte

	// Server and Location are names from the configuration; Location is empty when none matched.
	Server, Location string
	// Processing is the number of requests in process on this server when this one came, itself
	// included.
	Processing int64
	// ConfigVersion is the number of the configuration this request was served by.
	ConfigVersion uint64
	// Captures are the variables captured by host, path and rewrite expressions.
	Captures []Capture

	// Upstream is the upstream's name; empty when the request was answered here.
	Upstream string
	// UpstreamAddr is the backend, "ip:port" or "unix:/path".
	UpstreamAddr string
	// UpstreamStatus is the status the backend answered, 0 for none.
	UpstreamStatus int
	// UpstreamReused tells a pooled connection from a new one.
	UpstreamReused bool
	// UpstreamAttempts counts the backends tried.
	UpstreamAttempts int
	// UpstreamProbe belongs to package worker/upstream between Pick and Done.
	UpstreamProbe uint64
	// UpstreamConnected is the number of open connections to the upstream, Unset if not counted.
	UpstreamConnected int64
	// UpstreamConnect is the time to choose a backend and have a connection; UpstreamTCPConnect and
	// UpstreamTLSHandshake are parts of it, on new connections only.
	UpstreamConnect, UpstreamTCPConnect, UpstreamTLSHandshake int64
	// UpstreamConnectionAge is the age of the upstream connection when it was taken.
	UpstreamConnectionAge int64
	// UpstreamProcessing is from the connection to the response head; UpstreamResponse from there to
	// the end of the body.
	UpstreamProcessing, UpstreamResponse int64

	// RequestBody and ResponseBody are body bytes received from and sent to the client.
	RequestBody, ResponseBody int64
	// Status is the status sent to the client, 0 for none (499 where the client left first).
	Status int
	// RequestID is the id given by the request_id plugin or the client; empty for none.
	RequestID []byte
	// Trace is the request's place in a trace.
	Trace Trace
	// ErrorType names what went wrong ("ConnectRefused", "ReadTimedout", …), empty for success.
	ErrorType string
	// CompressionTime, CompressionRatio (in/out times ten), CacheLookup and CacheLock belong to the
	// plugins of those names.
	CompressionTime, CompressionRatio, CacheLookup, CacheLock int64
	// Limited tells which limit refused the request, Cache what became of it in the cache. Neither is for the log.
	Limited Limit
	Cache   CacheStatus
}

// Limit names what refused a request because there were too many.
type Limit uint8

// The limits. Their order is that of the metric's label (arena/tally).
const (
	Unlimited           Limit = iota
	LimitedByPlugin           // limit
	LimitedByProcessing       // max_processing
	LimitedByQueue            // of an upstream: full, or too slow
)

// CacheStatus is what a cache made of a request.
type CacheStatus uint8

// What may become of a request, as in X-Cache. Uncached is one that no cache has looked at. Their order is that of the metric's label.
const (
	Uncached CacheStatus = iota
	CacheHit
	CacheMiss
	CacheStale
	CacheUpdating
	CacheExpired
	CacheRevalidated
	CacheBypass
)

// Reset forgets the exchange and keeps memory and connection.
func (r *Record) Reset() {
	r.Request.Reset()
	r.Response.Reset()
	clear(r.Captures) // no view may keep another buffer alive
	r.Trace.Reset()
	*r = Record{
		Conn: r.Conn, Request: r.Request, Response: r.Response,
		Captures: r.Captures[:0], ClientIPText: nil, RequestID: r.RequestID[:0], Trace: r.Trace,
		UpstreamConnected: Unset, UpstreamConnect: Unset, UpstreamTCPConnect: Unset,
		UpstreamTLSHandshake: Unset, UpstreamConnectionAge: Unset, UpstreamProcessing: Unset,
		UpstreamResponse: Unset, CompressionTime: Unset, CompressionRatio: Unset,
		CacheLookup: Unset, CacheLock: Unset,
	}
}

// Capture returns the value of a captured variable and whether there is one.
func (r *Record) Capture(name string) ([]byte, bool) {
	for i := range r.Captures {
		if r.Captures[i].Name == name {
			return r.Captures[i].Value, true
		}
	}
	return nil, false
}

// CopyFrom makes r a copy of another record, of which the heads can be changed. The views are shared: their memory must stay.
func (r *Record) CopyFrom(other *Record) {
	request, response, captures, id, trace := r.Request, r.Response, r.Captures[:0], r.RequestID[:0], r.Trace
	*r = *other
	r.Trace = trace
	r.Trace.CopyFrom(&other.Trace)
	r.Request.mem, r.Request.normal = request.mem[:0], nil
	r.Request.Fields, r.Response.Fields = request.Fields, response.Fields
	r.Request.Fields.CopyFrom(&other.Request.Fields)
	r.Response.Fields.CopyFrom(&other.Response.Fields)
	r.Captures = append(captures, other.Captures...)
	r.RequestID = append(id, other.RequestID...)
}

// Detach gives what a record has of a request memory of its own, so that it can outlive that. The response is forgotten.
func (r *Record) Detach() {
	var mem []byte
	own := func(view []byte) []byte {
		start := len(mem)
		mem = append(mem, view...)
		return mem[start:len(mem):len(mem)]
	}
	q := &r.Request
	q.Method = own(q.Method)
	q.SetTarget(own(q.Target))
	q.Host = own(q.Host)
	for i := range q.Fields.list {
		f := &q.Fields.list[i]
		f.Name, f.Value = own(f.Name), own(f.Value)
	}
	for i := range r.Captures {
		r.Captures[i].Value = own(r.Captures[i].Value)
	}
	r.ClientIPText = own(r.ClientIPText)
	r.Response.Reset()
}

// At returns the time of day of a time on the clock of Now, with that clock's reading. It spares a look at the system's clocks.
func (r *Record) At(now int64) time.Time {
	t := &epoch
	if r.Anchor != nil {
		t = r.Anchor
	}
	return t.Add(time.Duration(now - Clock(*t)))
}
