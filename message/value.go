package message

import (
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// valueKind says where a Value comes from.
type valueKind uint8

const (
	literal valueKind = iota
	valueHost
	valueScheme
	valueRemoteAddr
	valueRemotePort
	valueServerAddr
	valueServerPort
	valueUpstreamAddr
	valueForwardedFor
	valueHeader
	valueContext
	valueCapture
)

// Value is the compiled value of a header that a configuration sets or adds: a literal text, or one
// variable ($name or :key) that stands for the whole value. The zero value is the empty text.
type Value struct {
	kind     valueKind
	text     string // as configured: sent where the variable yields nothing
	name     string // of the header or captured variable
	dashed   string // valueHeader: name with '_' as '-', empty when that is the same
	fallback string // valueCapture: what the environment had
	key      ContextKey
}

// CompileValue compiles the value of a header. env looks up environment variables, once, here; it
// may be nil.
func CompileValue(text string, env func(string) (string, bool)) Value {
	v := Value{text: text}
	if name, ok := strings.CutPrefix(text, ":"); ok {
		if key, known := LookupContext(name); known {
			v.kind, v.key = valueContext, key
		}
		return v
	}
	name, ok := strings.CutPrefix(text, "$")
	if !ok || name == "" {
		return v
	}
	if header, isHeader := strings.CutPrefix(name, "http_"); isHeader && header != "" {
		v.kind, v.name = valueHeader, header
		if dashed := strings.ReplaceAll(header, "_", "-"); dashed != header {
			v.dashed = dashed
		}
		return v
	}
	if name == "hostname" {
		v.text = hostname(text)
		return v
	}
	if key, known := LookupContext(name); known && strings.HasPrefix(name, "tls_") {
		v.kind, v.key = valueContext, key
		return v
	}
	if v.kind = valueVariable(name); v.kind == literal {
		v.kind, v.name, v.fallback = valueCapture, name, fromEnv(env, name)
	}
	return v
}

// valueVariable returns the kind of a variable with a fixed name, literal for any other.
func valueVariable(name string) valueKind {
	switch name {
	case "host":
		return valueHost
	case "scheme":
		return valueScheme
	case "remote_addr":
		return valueRemoteAddr
	case "remote_port":
		return valueRemotePort
	case "server_addr":
		return valueServerAddr
	case "server_port":
		return valueServerPort
	case "upstream_addr":
		return valueUpstreamAddr
	case "proxy_add_x_forwarded_for":
		return valueForwardedFor
	}
	return literal
}

// hostname returns the machine's name, or text if it has none that may stand in a field.
func hostname(text string) string {
	name, err := os.Hostname()
	if err != nil || name == "" || !ValidValue([]byte(name)) {
		return text
	}
	return name
}

// fromEnv returns an environment variable; empty for none or one that may not stand in a field.
func fromEnv(env func(string) (string, bool), name string) string {
	if env == nil {
		return ""
	}
	value, ok := env(name)
	if !ok || !ValidValue([]byte(value)) {
		return ""
	}
	return value
}

// OfEnvironment reports whether the value may come from the environment.
func (v *Value) OfEnvironment() bool { return v.fallback != "" }

// Append appends the value for one exchange; a variable that yields nothing gives its own text. It
// does not allocate beyond dst.
func (v *Value) Append(dst []byte, r *Record) []byte {
	if v.kind != literal {
		if out, ok := v.appendVariable(dst, r); ok {
			return out
		}
	}
	return append(dst, v.text...)
}

func (v *Value) appendVariable(dst []byte, r *Record) ([]byte, bool) {
	start := len(dst)
	switch v.kind {
	case valueHeader:
		value, ok := r.Request.Fields.Lookup(v.name)
		if !ok && v.dashed != "" {
			value, ok = r.Request.Fields.Lookup(v.dashed)
		}
		return append(dst, value...), ok
	case valueCapture:
		if value, ok := r.Capture(v.name); ok {
			return append(dst, value...), true
		}
		dst = append(dst, v.fallback...)
	case valueContext:
		dst, ok := AppendContext(dst, v.key, r)
		// What says who a client is must never be anything but that: without it the value is empty, not the text as configured.
		return dst, ok || v.key == ctxTLSClientSubject || v.key == ctxTLSClientFingerprint
	case valueScheme:
		dst = append(dst, r.Scheme()...)
	case valueHost:
		dst = append(dst, r.Request.HostName()...)
	case valueRemoteAddr:
		dst = append(dst, r.Conn.RemoteText...)
	case valueRemotePort:
		dst = appendPort(dst, r.Conn.Remote)
	case valueServerAddr:
		if local := r.Conn.Local.AddrPort(); local.IsValid() {
			dst = local.Addr().Unmap().AppendTo(dst)
		}
	case valueServerPort:
		dst = appendPort(dst, r.Conn.Local.AddrPort())
	case valueUpstreamAddr:
		dst = append(dst, r.UpstreamAddr...)
	case valueForwardedFor:
		dst = appendForwardedFor(dst, r)
	}
	return dst, len(dst) > start
}

// Scheme returns "https" if the downstream connection is encrypted, else "http".
func (r *Record) Scheme() string {
	if r.Conn.Secure() {
		return "https"
	}
	return "http"
}

func appendPort(dst []byte, addr netip.AddrPort) []byte {
	if !addr.IsValid() {
		return dst
	}
	return strconv.AppendUint(dst, uint64(addr.Port()), 10)
}

// appendForwardedFor appends every X-Forwarded-For of the request, in order, and the peer's address:
// leaving a repeated field out would let a client hide the proxies before us.
func appendForwardedFor(dst []byte, r *Record) []byte {
	start := len(dst)
	for _, f := range r.Request.Fields.List() {
		if f.ID == XForwardedFor && len(f.Value) > 0 {
			dst = append(appendComma(dst, start), f.Value...)
		}
	}
	if len(r.Conn.RemoteText) > 0 {
		dst = append(appendComma(dst, start), r.Conn.RemoteText...)
	}
	return dst
}

// appendComma separates list elements; the list began at start.
func appendComma(dst []byte, start int) []byte {
	if len(dst) > start {
		dst = append(dst, ", "...)
	}
	return dst
}
