package trace

import (
	"bytes"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"pingap/message"
)

// current are OpenTelemetry's semantic conventions for HTTP, stable since 1.23. What matters most comes first: max_attributes cuts the end.
type current struct{}

func (current) server(e *entry) (string, []attribute.KeyValue) {
	list := append(make([]attribute.KeyValue, 0, 24), e.methodAttributes()...)
	list = append(list, attribute.String("url.scheme", e.scheme()), text("url.path", e.path), attribute.Int("http.response.status_code", e.status))
	if failed := e.serverError(); failed != "" {
		list = append(list, attribute.String("error.type", failed))
	}
	host, port := splitPort(string(e.host), e.scheme())
	list = append(list, attribute.String("server.address", host), attribute.Int("server.port", port), text("client.address", e.client),
		attribute.String("network.protocol.version", protocol(e.version)), attribute.String("pingap.location", e.location))
	if len(e.query) > 0 {
		list = append(list, attribute.String("url.query", e.shownQuery()))
	}
	if len(e.agent) > 0 {
		list = append(list, text("user_agent.original", e.agent))
	}
	for _, m := range e.baggage {
		list = append(list, text("baggage."+clean(m.key), unescaped(m.value)))
	}
	list = append(list, attribute.Int64("http.response.body.size", e.responseBody))
	list = append(list, e.cacheAttributes("pingap.cache")...)
	if e.peer.IsValid() {
		list = append(list, attribute.String("network.peer.address", e.peer.Addr().String()), attribute.Int("network.peer.port", int(e.peer.Port())))
	}
	list = append(list, attribute.Int64("http.request.body.size", e.requestBody))
	name := e.spanMethod()
	if e.location != "" { // the path has too many values for a name, and no route is known but the location
		name += " " + e.location
	}
	return name, list
}

func (current) client(e *entry, a *attempt) (string, []attribute.KeyValue) {
	scheme := schemeOf(a.Secure)
	host, port := splitPort(a.Addr, scheme)
	list := append(make([]attribute.KeyValue, 0, 16), e.methodAttributes()...)
	list = append(list, attribute.String("server.address", host), attribute.Int("server.port", port), attribute.String("url.full", e.fullURL(scheme, a.Addr)))
	switch {
	case a.Failure != "" && a.Failure != errorStatus:
		list = append(list, attribute.String("error.type", a.Failure))
	case a.Status >= 400:
		list = append(list, attribute.String("error.type", strconv.Itoa(a.Status)))
	}
	if a.Status != 0 {
		list = append(list, attribute.Int("http.response.status_code", a.Status))
	}
	if a.number > 0 {
		list = append(list, attribute.Int("http.request.resend_count", a.number))
	}
	list = append(list, attribute.String("pingap.upstream", e.upstream), attribute.Bool("pingap.upstream.reused", a.Reused))
	return e.spanMethod(), list
}

// methodAttributes name the method: one of the standard's, or what came beside _OTHER.
func (e *entry) methodAttributes() []attribute.KeyValue {
	if e.known {
		return []attribute.KeyValue{text("http.request.method", e.method)}
	}
	return []attribute.KeyValue{attribute.String("http.request.method", "_OTHER"), text("http.request.method_original", e.method)}
}

// spanMethod is the method in a span's name.
func (e *entry) spanMethod() string {
	if e.known {
		return string(e.method)
	}
	return "HTTP"
}

// serverError is the type of error of a request that failed; empty for an answer that is none.
func (e *entry) serverError() string {
	switch {
	case e.errorType != "" && e.errorType != errorStatus:
		return e.errorType
	case e.status >= 500:
		return strconv.Itoa(e.status)
	}
	return ""
}

func (e *entry) scheme() string { return schemeOf(e.secure) }

func schemeOf(secure bool) string {
	if secure {
		return "https"
	}
	return "http"
}

func (e *entry) fullURL(scheme, addr string) string {
	if strings.HasPrefix(addr, "unix:") {
		addr = "localhost"
	}
	full := scheme + "://" + addr + clean(e.path)
	if len(e.query) > 0 {
		full += "?" + e.shownQuery()
	}
	return full
}

// cacheAttributes say what the cache did, if it did something.
func (e *entry) cacheAttributes(prefix string) (list []attribute.KeyValue) {
	if len(e.cached) > 0 {
		list = append(list, text(prefix+".status", e.cached))
	}
	for _, d := range []struct {
		name string
		took int64
	}{{".lookup", e.cacheLookup}, {".lock", e.cacheLock}} {
		if d.took != message.Unset {
			list = append(list, attribute.String(prefix+d.name, time.Duration(d.took).String()))
		}
	}
	return list
}

// legacy are the names of Pingap.
type legacy struct{}

func (legacy) server(e *entry) (string, []attribute.KeyValue) {
	uri := clean(e.path)
	if len(e.query) > 0 {
		uri += "?" + e.shownQuery()
	}
	list := []attribute.KeyValue{text("http.method", e.method), attribute.String("http.url", uri), text("http.host", e.host),
		text("http.client_ip", e.client), attribute.Int("http.status_code", e.status), attribute.Int64("http.response.body.size", e.responseBody),
		attribute.String("http.location", e.location)}
	list = append(list, e.cacheAttributes("cache")...)
	for _, m := range e.baggage {
		list = append(list, text("baggage."+clean(m.key), unescaped(m.value)))
	}
	return clean(e.path), list
}

func (legacy) client(e *entry, a *attempt) (string, []attribute.KeyValue) {
	var list []attribute.KeyValue
	add := func(name string, ns int64) {
		if ns != message.Unset {
			list = append(list, attribute.Int64(name, ns/1e6))
		}
	}
	if e.upstreamConnected != message.Unset && a.last {
		list = append(list, attribute.Int64("upstream.connected", e.upstreamConnected))
	}
	list = append(list, attribute.String("upstream.addr", a.Addr), attribute.Bool("upstream.reused", a.Reused))
	add("upstream.connect_time", a.Connect)
	add("upstream.processing_time", a.Processing)
	if a.last {
		add("upstream.response_time", e.respond)
	}
	return "upstream." + e.upstream, list
}

// text is an attribute of bytes that came from outside: the protocol wants UTF-8.
func text(key string, value []byte) attribute.KeyValue { return attribute.String(key, clean(value)) }

func clean(b []byte) string { return string(bytes.ToValidUTF8(b, []byte("\ufffd"))) }

// unescaped decodes a member's value (W3C Baggage section 3.3.1.3); what cannot be decoded stays as it is.
func unescaped(value []byte) []byte {
	if s, err := url.PathUnescape(string(value)); err == nil {
		return []byte(s)
	}
	return value
}

func protocol(version uint8) string {
	switch version {
	case message.HTTP10:
		return "1.0"
	case message.HTTP11:
		return "1.1"
	}
	return "2"
}

// splitPort splits host and port; without one it is that of the scheme. Of a Unix socket it is the path, and no port.
func splitPort(authority, scheme string) (host string, port int) {
	if path, ok := strings.CutPrefix(authority, "unix:"); ok {
		return path, 0
	}
	port = 80
	if scheme == "https" {
		port = 443
	}
	host, number, err := net.SplitHostPort(authority)
	if err != nil {
		return strings.Trim(authority, "[]"), port
	}
	if n, err := strconv.ParseUint(number, 10, 16); err == nil {
		port = int(n)
	}
	return strings.ToValidUTF8(host, "\ufffd"), port
}

// shownQuery is the query without the values of what the configuration hides, and of what may give somebody rights.
func (e *entry) shownQuery() string { return redactQuery(string(e.query), e.tracer.hidden) }

// redactQuery hides values of a query: of the parameters that are named, and those that may give somebody rights. The first four of these are
// those that the conventions name.
func redactQuery(query string, hidden []string) string {
	var out strings.Builder
	for len(query) > 0 {
		part, rest := query, ""
		if n := strings.IndexAny(query, "&;#"); n >= 0 {
			part, rest = query[:n], query[n:]
		}
		if name, value, ok := strings.Cut(part, "="); ok && value != "" && (givesRights(name) || isHidden(name, hidden)) {
			part = name + "=REDACTED"
		}
		out.WriteString(part)
		n := min(len(rest), 1)
		out.WriteString(rest[:n])
		query = rest[n:]
	}
	return strings.ToValidUTF8(out.String(), "\ufffd")
}

// isHidden compares as access logs do: whatever the case, and the escapes.
func isHidden(name string, hidden []string) bool {
	if len(hidden) == 0 {
		return false
	}
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	return slices.ContainsFunc(hidden, func(h string) bool { return strings.EqualFold(h, name) })
}

func givesRights(name string) bool {
	switch name {
	case "AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature":
		return true
	}
	name = strings.ToLower(name)
	for _, word := range []string{"secret", "passw", "token", "apikey", "api_key", "api-key", "auth", "credential", "session", "signature", "jwt"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
