package otlp

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Exporter is where and how traces are sent.
type Exporter struct {
	// Endpoint is host:port of the collector, Path that of OTLP/HTTP. TLS tells that the scheme was https.
	Endpoint, Path string
	TLS, HTTP      bool
	// CA is the path of PEM that the collector's certificate is verified with; empty takes the system's.
	CA string
	// Compression is "gzip", "zstd" or empty.
	Compression string
	// Headers go with each export, in lower case.
	Headers map[string]string

	// Timeout bounds one attempt of an export, MaxExport the export with its retries. Delay is how long a span waits at most for others.
	Timeout, MaxExport, Delay time.Duration
	// Queue is how many requests wait at most; Batch how many of them are exported at once.
	Queue, Batch int

	// Attributes and Events are the most that a span has.
	Attributes, Events int
	// Sample is the share of traces begun here that is exported. Errors exports requests that failed whatever was decided before.
	Sample float64
	Errors bool
	// Legacy has the span names and attributes of Pingap.
	Legacy bool
	// Jaeger reads and writes uber-trace-id too; Baggage has members of the baggage be attributes.
	Jaeger, Baggage bool
	// Resource are attributes of the resource, in the order they were written.
	Resource []Pair
}

// Pair is a name and a value.
type Pair struct{ Name, Value string }

// Defaults of the ports and the path of the protocols.
const (
	portGRPC = "4317"
	portHTTP = "4318"
	path     = "/v1/traces"
)

// Parse reads an exporter. The warnings say what has no effect.
func Parse(text string) (e *Exporter, warnings []string, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, nil, errors.New("expected a URL such as http://collector:4317?sample=0.1") // err would show it
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, nil, errors.New("expected name=value pairs in the query, joined by & and percent-encoded")
	}
	e = &Exporter{}
	params := Parameters()
	for i := range params {
		p := &params[i]
		value, given := p.Default, false
		if values := query[p.Name]; len(values) > 0 {
			value, given = values[len(values)-1], true
			delete(query, p.Name)
		}
		if given || value != "" {
			if err := p.set(e, value); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", p.Name, err)
			}
		}
		if given && p.warn != nil {
			warnings = append(warnings, p.warn(value)...)
		}
	}
	for name := range query {
		warnings = append(warnings, fmt.Sprintf("parameter %q does not exist, it has no effect", clip(name)))
	}
	slices.Sort(warnings)
	return e, warnings, e.setAddress(u)
}

func (e *Exporter) setAddress(u *url.URL) error {
	port := portGRPC
	if e.HTTP {
		port = portHTTP
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("expected a URL that begins with http:// or https://")
	case u.Hostname() == "":
		return errors.New("expected a host behind " + u.Scheme + "://")
	case u.User != nil:
		return errors.New("expected no user before the host; headers=authorization:... sends what the collector wants")
	case u.Port() != "":
		port = u.Port()
	}
	e.TLS = u.Scheme == "https"
	if e.CA != "" && !e.TLS {
		return errors.New("ca: it is for a URL that begins with https://")
	}
	e.Endpoint = net.JoinHostPort(u.Hostname(), port)
	if e.Path = u.EscapedPath(); e.Path == "" || e.Path == "/" {
		e.Path = path
	}
	return nil
}

// Server is what e.Resource and the name of a server come to: the attributes of the resource.
func (e *Exporter) Server(name string) []Pair {
	list := append([]Pair{{"service.name", "pingap:" + name}}, e.Resource...)
	for i, p := range e.Resource {
		if p.Name == "service.name" {
			list[0].Value = p.Value
			return slices.Delete(list, i+1, i+2)
		}
	}
	return list
}

func clip(s string) string {
	const longest = 40
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return s
}
