package otlp

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Parameter is one of the query of an exporter's URL.
type Parameter struct {
	Name    string
	Default string // as it is written; empty for none
	Help    string // what it does, and its unit
	Secret  bool

	set  func(e *Exporter, value string) error
	warn func(value string) []string
}

// Most that parameters may be.
const (
	maxQueue   = 1 << 20
	maxPerSpan = 1000
	maxPairs   = 64
	maxPair    = 1024 // bytes of a header or a resource attribute
	maxTime    = time.Hour
	leastTime  = time.Millisecond
)

// Parameters are all of them, in the order of the documentation.
func Parameters() []Parameter {
	return []Parameter{
		{Name: "protocol", Default: "grpc", Help: "`grpc` or `http`: OTLP/gRPC, or OTLP/HTTP with protobuf to the path of the URL, /v1/traces if it has none.", set: setProtocol},
		{Name: "compression", Help: "`gzip` or `zstd`; any other text is gzip, as in Pingap. None without it.", set: setCompression, warn: warnCompression},
		{Name: "headers", Help: "name:value, comma list: sent with each export, percent-encoded as all of a query.", Secret: true, set: setHeaders},
		{Name: "ca", Help: "Absolute path of PEM: the CAs, and no others, that an https collector's certificate is verified with. Read by the workers when the exporter is opened.", set: setCA},
		{Name: "timeout", Default: "3s", Help: "Longest time that one attempt of an export takes.", set: duration(func(e *Exporter) *time.Duration { return &e.Timeout })},
		{Name: "max_export_timeout", Default: "30s", Help: "Longest time that an export takes with its retries; then its spans are dropped.", set: duration(func(e *Exporter) *time.Duration { return &e.MaxExport })},
		{Name: "scheduled_delay", Default: "5s", Help: "How long a request waits at most for others to be exported with.", set: duration(func(e *Exporter) *time.Duration { return &e.Delay })},
		{Name: "max_queue_size", Default: "2048", Help: "Requests of a worker that wait at most; further ones are dropped and counted.", set: number(func(e *Exporter) *int { return &e.Queue }, 1, maxQueue)},
		{Name: "max_export_batch_size", Default: "512", Help: "Requests that are exported at once, at most.", set: number(func(e *Exporter) *int { return &e.Batch }, 1, maxQueue)},
		{Name: "max_attributes", Default: "16", Help: "Attributes of a span, at most.", set: number(func(e *Exporter) *int { return &e.Attributes }, 0, maxPerSpan)},
		{Name: "max_events", Default: "16", Help: "Events of a span, at most.", set: number(func(e *Exporter) *int { return &e.Events }, 0, maxPerSpan)},
		{Name: "sample", Default: "1", Help: "Share of the requests without a decision of the client's that is exported, 0..1. A client's decision (traceparent) is always followed.", set: setSample},
		{Name: "errors", Help: "Exports requests as well that were not sampled but end with 5xx or break off.", set: flag(func(e *Exporter) *bool { return &e.Errors })},
		{Name: "semconv", Default: "current", Help: "`current` or `legacy`: names and attributes by OpenTelemetry's conventions for HTTP, or those of Pingap.", set: setSemconv},
		{Name: "attributes", Help: "name:value, comma list: attributes of the resource, in addition to service.name=pingap:<server>, which it may replace.", set: setResource},
		{Name: "jaeger", Help: "Reads uber-trace-id where there is no traceparent, and sends it on as well.", set: flag(func(e *Exporter) *bool { return &e.Jaeger })},
		{Name: "baggage", Help: "Members of the request's baggage are attributes `baggage.<key>` of its span; a baggage that is malformed or too large is not sent on.", set: flag(func(e *Exporter) *bool { return &e.Baggage })},
	}
}

func duration(at func(*Exporter) *time.Duration) func(*Exporter, string) error {
	return func(e *Exporter, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d < leastTime || d > maxTime {
			return fmt.Errorf("expected a time of %s..%s such as 3s", leastTime, maxTime)
		}
		*at(e) = d
		return nil
	}
}

func number(at func(*Exporter) *int, least, most int) func(*Exporter, string) error {
	return func(e *Exporter, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < least || n > most {
			return fmt.Errorf("expected a number of %d..%d", least, most)
		}
		*at(e) = n
		return nil
	}
}

// flag is on where its name alone is written, as Pingap has it.
func flag(at func(*Exporter) *bool) func(*Exporter, string) error {
	return func(e *Exporter, value string) error {
		switch value {
		case "", "true", "1":
			*at(e) = true
		case "false", "0":
		default:
			return errors.New("expected nothing, true or false")
		}
		return nil
	}
}

func setProtocol(e *Exporter, value string) error {
	if value != "grpc" && value != "http" {
		return errors.New("expected grpc or http")
	}
	e.HTTP = value == "http"
	return nil
}

func setCompression(e *Exporter, value string) error {
	switch value {
	case "", "none":
	case "zstd":
		e.Compression = value
	default:
		e.Compression = "gzip"
	}
	return nil
}

func warnCompression(value string) []string {
	switch value {
	case "", "none", "gzip", "zstd":
		return nil
	}
	return []string{fmt.Sprintf("compression %q is not known, gzip is used", clip(value))}
}

func setSemconv(e *Exporter, value string) error {
	if value != "current" && value != "legacy" {
		return errors.New("expected current or legacy")
	}
	e.Legacy = value == "legacy"
	return nil
}

func setSample(e *Exporter, value string) error {
	share, err := strconv.ParseFloat(value, 64)
	if err != nil || !(share >= 0 && share <= 1) { // NaN is neither
		return errors.New("expected a share of 0..1")
	}
	e.Sample = share
	return nil
}

func setResource(e *Exporter, value string) (err error) {
	e.Resource, err = pairs(value)
	return err
}

// setHeaders keeps fields apart that are the protocol's own.
func setCA(e *Exporter, value string) error {
	if !filepath.IsAbs(value) {
		return errors.New("expected the absolute path of a file")
	}
	e.CA = value
	return nil
}

func setHeaders(e *Exporter, value string) error {
	list, err := pairs(value)
	e.Headers = make(map[string]string, len(list))
	for _, p := range list {
		name := strings.ToLower(p.Name)
		switch {
		case strings.HasPrefix(name, "grpc-"), strings.HasPrefix(name, "content-"), name == "host", name == "te", name == "connection", name == "transfer-encoding":
			return fmt.Errorf("field %s is the protocol's own", name)
		case strings.HasSuffix(name, "-bin"):
			return fmt.Errorf("field %s: expected a name that does not end in -bin", name)
		case strings.ContainsFunc(p.Value, func(r rune) bool { return r < ' ' || r > '~' }):
			return fmt.Errorf("field %s: expected a value of visible ASCII", name)
		}
		e.Headers[name] = p.Value
	}
	return err
}

// pairs reads name:value,name:value. No error shows a value.
func pairs(text string) ([]Pair, error) {
	var list []Pair
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, ":")
		switch {
		case !ok || !isName(name):
			return nil, fmt.Errorf("expected name:value, where a name is of letters, digits and -._ (pair %d)", len(list)+1)
		case len(part) > maxPair:
			return nil, fmt.Errorf("pair %d: expected at most %d bytes", len(list)+1, maxPair)
		case len(list) == maxPairs:
			return nil, fmt.Errorf("expected at most %d pairs", maxPairs)
		}
		list = append(list, Pair{name, strings.TrimSpace(value)})
	}
	return list, nil
}

func isName(s string) bool {
	for _, b := range []byte(s) {
		if !(b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '.' || b == '_') {
			return false
		}
	}
	return s != ""
}
