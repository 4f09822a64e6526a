package backends

import (
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector takes traces over OTLP/gRPC and OTLP/HTTP, on one port: gRPC is what comes as such over HTTP/2 in the clear.
type Collector struct {
	Addr string

	server *http.Server
	mu     sync.Mutex // guards all below
	spans  []Span
	heads  []http.Header
	hang   bool
	slow   time.Duration
	status int // to be answered, 0 for success
}

// Span is one that has come, in words.
type Span struct {
	Name, Scope              string
	Trace, ID, Parent, State string // ids in hexadecimal
	Server, Failed           bool
	Start, End               time.Time
	Attributes, Resource     map[string]string
	Events                   []string
	DroppedAttributes        int
}

const (
	largestExport = 16 << 20
	grpcPath      = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
	httpPath      = "/v1/traces"
)

// NewCollector listens on addr, or on a port of its own if that is empty.
func NewCollector(addr string) (*Collector, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &Collector{Addr: l.Addr().String()}
	c.server = &http.Server{Handler: c, Protocols: new(http.Protocols), ReadHeaderTimeout: time.Minute}
	c.server.Protocols.SetHTTP1(true)
	c.server.Protocols.SetUnencryptedHTTP2(true)
	go c.server.Serve(l) //nolint:errcheck // ends with Close
	return c, nil
}

// Close ends it, with all connections.
func (c *Collector) Close() { c.server.Close() }

// Hang has exports wait for ever, or no more.
func (c *Collector) Hang(on bool) { c.set(func() { c.hang = on }) }

// Slow has exports take a time.
func (c *Collector) Slow(d time.Duration) { c.set(func() { c.slow = d }) }

// Refuse has exports answered with a status of HTTP, or the code of gRPC that is like it; 0 for success.
func (c *Collector) Refuse(status int) { c.set(func() { c.status = status }) }

func (c *Collector) set(do func()) {
	c.mu.Lock()
	do()
	c.mu.Unlock()
}

// Spans are those that have come so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span(nil), c.spans...)
}

// Heads are the fields of the exports so far.
func (c *Collector) Heads() []http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]http.Header(nil), c.heads...)
}

// ServeHTTP implements http.Handler.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	hang, slow, status := c.hang, c.slow, c.status
	c.mu.Unlock()
	if hang {
		slow = time.Hour
	}
	grpc := r.Header.Get("Content-Type") == "application/grpc"
	list, err := read(r, grpc)
	wait(r.Context(), slow)
	if err == nil && status == 0 && r.Context().Err() == nil {
		c.take(list, r.Header)
	}
	if grpc {
		answerGRPC(w, status, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case status != 0:
		http.Error(w, "refused", status)
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// answerGRPC answers a call: an empty message, or a status.
func answerGRPC(w http.ResponseWriter, status int, err error) {
	const invalid, unavailable = "3", "14"
	code := "0"
	if status != 0 {
		code = unavailable
	}
	if err != nil {
		code = invalid
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	if code == "0" {
		_, _ = w.Write(make([]byte, 5)) // a message of no bytes; an error is that of a client that is gone
	}
	w.Header().Set("Grpc-Status", code)
}

// read reads one export.
func read(r *http.Request, grpc bool) (*collector.ExportTraceServiceRequest, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, largestExport))
	if err != nil {
		return nil, err
	}
	encoding := r.Header.Get("Content-Encoding")
	switch {
	case r.Method != http.MethodPost, !grpc && r.URL.Path != httpPath, grpc && r.URL.Path != grpcPath:
		return nil, fmt.Errorf("%s %s", r.Method, r.URL.Path)
	case !grpc && r.Header.Get("Content-Type") != "application/x-protobuf":
		return nil, errors.New("content type " + r.Header.Get("Content-Type"))
	case grpc:
		encoding = ""
		if len(body) < 5 || int(binary.BigEndian.Uint32(body[1:])) != len(body)-5 {
			return nil, errors.New("not one message")
		}
		if body[0] == 1 {
			encoding = r.Header.Get("Grpc-Encoding")
		}
		body = body[5:]
	}
	if body, err = unpack(body, encoding); err != nil {
		return nil, err
	}
	list := new(collector.ExportTraceServiceRequest)
	return list, proto.Unmarshal(body, list)
}

func unpack(body []byte, encoding string) ([]byte, error) {
	var from io.Reader
	switch encoding {
	case "":
		return body, nil
	case "gzip":
		z, err := gzip.NewReader(strings.NewReader(string(body)))
		if err != nil {
			return nil, err
		}
		from = z
	case "zstd":
		z, err := zstd.NewReader(strings.NewReader(string(body)), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		from = z
	default:
		return nil, errors.New("encoding " + encoding)
	}
	return io.ReadAll(io.LimitReader(from, largestExport))
}

func (c *Collector) take(list *collector.ExportTraceServiceRequest, head http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heads = append(c.heads, head.Clone())
	for _, rs := range list.GetResourceSpans() {
		resource := words(rs.GetResource().GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				c.spans = append(c.spans, spanOf(s, resource, ss.GetScope().GetName()))
			}
		}
	}
}

func spanOf(s *trace.Span, resource map[string]string, scope string) Span {
	span := Span{Name: s.GetName(), Scope: scope, Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()),
		Parent: hex.EncodeToString(s.GetParentSpanId()), State: s.GetTraceState(), Server: s.GetKind() == trace.Span_SPAN_KIND_SERVER,
		Failed: s.GetStatus().GetCode() == trace.Status_STATUS_CODE_ERROR,
		Start:  time.Unix(0, int64(s.GetStartTimeUnixNano())), End: time.Unix(0, int64(s.GetEndTimeUnixNano())),
		Attributes: words(s.GetAttributes()), Resource: resource, DroppedAttributes: int(s.GetDroppedAttributesCount())}
	for _, e := range s.GetEvents() {
		span.Events = append(span.Events, e.GetName())
	}
	return span
}

func words(list []*common.KeyValue) map[string]string {
	m := map[string]string{}
	for _, kv := range list {
		switch v := kv.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			m[kv.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			m[kv.GetKey()] = fmt.Sprint(v.IntValue)
		case *common.AnyValue_BoolValue:
			m[kv.GetKey()] = fmt.Sprint(v.BoolValue)
		default:
			m[kv.GetKey()] = kv.GetValue().String()
		}
	}
	return m
}
