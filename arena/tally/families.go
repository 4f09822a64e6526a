package tally

// Kind is what a block is about.
type Kind uint8

// The kinds. The name beside the server in a Key is that of the location ("" is the total over all of them), of the upstream, or empty.
const (
	LocationBlock Kind = iota + 1
	ServerBlock
	UpstreamBlock
	HostBlock // of the instance: neither server nor name
	kinds     = iota + 1
)

// Type is how a metric reads its words.
type Type uint8

// The types.
const (
	// Counter is one word.
	Counter Type = iota + 1
	// Codes is a word for each of the values of a label.
	Codes
	// Histogram is a word for each bucket, one for what is above the last bound, and one for the sum. The sum is in the metric's unit times Scale.
	Histogram
)

// Family is a metric.
type Family struct {
	Name, Help string
	Type       Type
	Kind       Kind
	// At is the first of its words in the block.
	At int
	// Buckets are the upper bounds of a histogram, in the unit of the metric.
	Buckets []float64
	// Scale is how many of what is counted are one of the metric's unit: nanoseconds of a second, bytes of a KiB.
	Scale float64
	// Label and Values are the further label of Codes.
	Label  string
	Values []string
	// Native tells that the histogram has native buckets beside the classic ones, NativeWords from NativeAt on: see there.
	Native   bool
	NativeAt int
	// Exemplars tells that the histogram keeps a request to refer to, from ExemplarAt on: see Exemplar.
	Exemplars  bool
	ExemplarAt int

	limits []int64 // Buckets in what is counted
}

// Words is how many words the family has, beside those of native buckets.
func (f *Family) Words() int {
	switch f.Type {
	case Codes:
		return len(f.Values)
	case Histogram:
		return len(f.Buckets) + 2
	}
	return 1
}

// ID names a family: it is its index in Families.
type ID int

// The families. Those of a kind stand together.
const (
	Requests ID = iota
	Received
	ReceivedBytes
	ResponseCodes
	ResponseTime
	Sent
	SentBytes
	Limited
	CacheRequests

	ConnectionReuses
	HandshakeTime
	CacheLookupTime
	CacheLockTime
	CompressionRatio

	UpstreamConnectTime
	UpstreamHandshakeTime
	UpstreamReuses
	UpstreamProcessingTime
	UpstreamResponseTime
	UpstreamRetries
	UpstreamErrors

	StorageReadTime
	StorageWriteTime
	LogDropped
	Traced
	Mirrored
	families = int(iota)
)

const (
	perSecond = 1e9
	perKiB    = 1024
)

// upstreamErrorTypes are the values of the label of UpstreamErrors, the last one for all that have none of their own.
var upstreamErrorTypes = [...]string{
	"ConnectRefused", "ConnectTimedout", "ConnectNoRoute", "ConnectError", "TLSHandshakeFailure", "TLSHandshakeTimedout", "InvalidCert",
	"ConnectionClosed", "ConnectionReset", "ReadTimedout", "ReadError", "WriteTimedout", "WriteError", "InvalidHTTPHeader", "H2Error", "other",
}

// table has all families, with their places in the blocks.
var table = placed([families]Family{
	Requests: {Name: "pingap_http_requests_total", Kind: LocationBlock, Type: Counter,
		Help: "Requests that a location answered; location \"\" is all of them."},
	Received: {Name: "pingap_http_received", Kind: LocationBlock, Type: Histogram, Scale: perKiB, Buckets: []float64{1, 5, 10, 50, 100, 1000},
		Help: "Size of request bodies in KiB."},
	ReceivedBytes: {Name: "pingap_http_received_bytes", Kind: LocationBlock, Type: Counter,
		Help: "Bytes of request bodies."},
	ResponseCodes: {Name: "pingap_http_responses_codes", Kind: LocationBlock, Type: Codes, Label: "code",
		Values: []string{"1xx", "2xx", "3xx", "4xx", "5xx", "unknown"},
		Help:   "Answers by class of status; unknown is a request that got none."},
	ResponseTime: {Name: "pingap_http_response_time", Kind: LocationBlock, Type: Histogram, Scale: perSecond, Native: true, Exemplars: true,
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		Help:    "Seconds from the first byte of a request to the end of its answer."},
	Sent: {Name: "pingap_http_sent", Kind: LocationBlock, Type: Histogram, Scale: perKiB, Buckets: []float64{1, 5, 10, 50, 100, 1000, 10000},
		Help: "Size of response bodies in KiB, as sent."},
	SentBytes: {Name: "pingap_http_sent_bytes", Kind: LocationBlock, Type: Counter,
		Help: "Bytes of response bodies, as sent."},
	Limited: {Name: "pingap_limited_requests_total", Kind: LocationBlock, Type: Codes, Label: "by",
		Values: []string{"limit", "max_processing", "queue"},
		Help:   "Requests refused because of a limit: by plugin limit, max_processing, or a queue that was full or too slow."},
	CacheRequests: {Name: "pingap_cache_requests_total", Kind: LocationBlock, Type: Codes, Label: "status",
		Values: []string{"hit", "miss", "stale", "updating", "expired", "revalidated", "bypass"},
		Help:   "Requests to plugin cache by what it made of them, as in X-Cache."},

	ConnectionReuses: {Name: "pingap_connection_reuses", Kind: ServerBlock, Type: Counter,
		Help: "Requests on connections of clients that had carried one before."},
	HandshakeTime: {Name: "pingap_tls_handshake_time", Kind: ServerBlock, Type: Histogram, Scale: perSecond, Buckets: []float64{.01, .05, .1, .5, 1},
		Help: "Seconds of TLS handshakes with clients."},
	CacheLookupTime: {Name: "pingap_cache_lookup_time", Kind: ServerBlock, Type: Histogram, Scale: perSecond,
		Buckets: []float64{.001, .005, .01, .05, .1, .25, .5, 1},
		Help:    "Seconds that plugin cache looked for a stored response."},
	CacheLockTime: {Name: "pingap_cache_lock_time", Kind: ServerBlock, Type: Histogram, Scale: perSecond, Buckets: []float64{.01, .05, .1, 1, 3},
		Help: "Seconds that requests waited for another one's response in plugin cache."},
	CompressionRatio: {Name: "pingap_compression_ratio", Kind: ServerBlock, Type: Histogram, Scale: 10, Buckets: []float64{1, 2, 3, 5, 10},
		Help: "Size of response bodies before compression, divided by that after it."},

	UpstreamConnectTime: {Name: "pingap_upstream_tcp_connect_time", Kind: UpstreamBlock, Type: Histogram, Scale: perSecond,
		Buckets: []float64{.005, .01, .05, .1, .5, 1},
		Help:    "Seconds of TCP connects to backends."},
	UpstreamHandshakeTime: {Name: "pingap_upstream_tls_handshake_time", Kind: UpstreamBlock, Type: Histogram, Scale: perSecond,
		Buckets: []float64{.01, .05, .1, .5, 1},
		Help:    "Seconds of TLS handshakes with backends."},
	UpstreamReuses: {Name: "pingap_upstream_reuses", Kind: UpstreamBlock, Type: Counter,
		Help: "Requests on connections to backends that were there before."},
	UpstreamProcessingTime: {Name: "pingap_upstream_processing_time", Kind: UpstreamBlock, Type: Histogram, Scale: perSecond, Native: true,
		Buckets: []float64{.01, .02, .1, .5, 1, 5, 10},
		Help:    "Seconds from the connection to the head of a backend's answer."},
	UpstreamResponseTime: {Name: "pingap_upstream_response_time", Kind: UpstreamBlock, Type: Histogram, Scale: perSecond, Native: true,
		Buckets: []float64{.005, .01, .05, .1, .5, 1},
		Help:    "Seconds from the head of a backend's answer to its end."},
	UpstreamRetries: {Name: "pingap_upstream_retries_total", Kind: UpstreamBlock, Type: Counter,
		Help: "Attempts beyond the first one of a request."},
	UpstreamErrors: {Name: "pingap_upstream_errors_total", Kind: UpstreamBlock, Type: Codes, Label: "type", Values: upstreamErrorTypes[:],
		Help: "Attempts that failed through the backend's fault, by type as in X-Pingap-EType."},

	StorageReadTime: {Name: "pingap_cache_storage_read_time", Kind: HostBlock, Type: Histogram, Scale: perSecond,
		Buckets: []float64{.001, .005, .01, .05, .1, .25, .5, 1},
		Help:    "Seconds of reading a stored response's head from a file."},
	StorageWriteTime: {Name: "pingap_cache_storage_write_time", Kind: HostBlock, Type: Histogram, Scale: perSecond,
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1},
		Help:    "Seconds of writing a response to a file, while it came."},
	LogDropped: {Name: "pingap_access_log_dropped_total", Kind: HostBlock, Type: Counter,
		Help: "Lines of access logs that were lost because what they went to was too slow, or failed."},
	Traced: {Name: "pingap_traced_requests_total", Kind: HostBlock, Type: Codes, Label: "result", Values: []string{"exported", "dropped"},
		Help: "Requests whose spans a collector took, or that were dropped because it did not."},
	Mirrored: {Name: "pingap_mirrored_requests_total", Kind: HostBlock, Type: Codes, Label: "result", Values: []string{"sent", "failed", "dropped"},
		Help: "Copies of requests for a second upstream: it answered, it did not, or the copy was not sent because there were too many."},
})

// Families are all totals, in the order of their IDs. Nobody may change them.
func Families() []Family { return table[:] }

// placed gives each family its words: those of a kind one behind the other, so that one request touches few lines of memory. The bytes in all
// are the sum of a histogram, and counted once.
func placed(all [families]Family) *[families]Family {
	var next [kinds]int
	for i := range all {
		f := &all[i]
		f.At = next[f.Kind]
		switch ID(i) {
		case ReceivedBytes:
			f.At = all[Received].sumAt()
			continue
		case SentBytes:
			f.At = all[Sent].sumAt()
			continue
		}
		next[f.Kind] += f.Words()
		for _, bound := range f.Buckets {
			f.limits = append(f.limits, int64(bound*f.Scale+0.5))
		}
	}
	for i := range all {
		f := &all[i]
		if f.Native {
			f.NativeAt = next[f.Kind]
			next[f.Kind] += NativeWords
		}
		if f.Exemplars {
			f.ExemplarAt = next[f.Kind]
			next[f.Kind] += exemplarWords
		}
	}
	return &all
}

// sumAt is the word of a histogram's sum.
func (f *Family) sumAt() int { return f.At + len(f.Buckets) + 1 }

// ErrorType is the value of UpstreamErrors for an error type.
func ErrorType(name string) int {
	for i, known := range upstreamErrorTypes {
		if name == known {
			return i
		}
	}
	return len(upstreamErrorTypes) - 1
}
