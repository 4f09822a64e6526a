package message

import (
	"strconv"
	"strings"
	"time"
)

// ContextKey identifies a value of the Record that configurations name: {:key} in the access log and
// :key as a header value. The zero value names nothing.
type ContextKey uint8

// The context keys. Those from firstTime on are spans of time and have a human form as well.
const (
	noContext ContextKey = iota
	ctxConnectionID
	ctxConnectionReused
	ctxTLSVersion
	ctxTLSCipher
	ctxLocation
	ctxProcessing
	ctxUpstreamAddr
	ctxUpstreamStatus
	ctxUpstreamReused
	ctxUpstreamConnected
	ctxCompressionRatio
	ctxConfigVersion
	ctxTLSSNI
	ctxTLSALPN
	ctxTLSResumed
	ctxTLSClientSubject
	ctxTLSClientFingerprint
	ctxTraceID
	ctxSpanID
	ctxConnectionTime
	ctxTLSHandshakeTime
	ctxServiceTime
	ctxUpstreamConnectTime
	ctxUpstreamTCPConnectTime
	ctxUpstreamTLSHandshakeTime
	ctxUpstreamConnectionTime
	ctxUpstreamProcessingTime
	ctxUpstreamResponseTime
	ctxCompressionTime
	ctxCacheLookupTime
	ctxCacheLockTime
	contextCount

	firstTime = ctxConnectionTime
	// human marks the form for people of a span.
	human ContextKey = 0x80
)

// humanSuffix ends the name of a span's human form.
const humanSuffix = "_human"

// contextNames are the names without humanSuffix.
var contextNames = [contextCount]string{
	ctxConnectionID: "connection_id", ctxConnectionReused: "connection_reused",
	ctxTLSVersion: "tls_version", ctxTLSCipher: "tls_cipher", ctxLocation: "location",
	ctxProcessing: "processing", ctxUpstreamAddr: "upstream_addr",
	ctxUpstreamStatus: "upstream_status", ctxUpstreamReused: "upstream_reused",
	ctxUpstreamConnected: "upstream_connected", ctxCompressionRatio: "compression_ratio",
	ctxConfigVersion: "config_version",
	ctxTLSSNI:        "tls_sni", ctxTLSALPN: "tls_alpn", ctxTLSResumed: "tls_resumed",
	ctxTLSClientSubject: "tls_client_subject", ctxTLSClientFingerprint: "tls_client_fingerprint",
	ctxTraceID: "trace_id", ctxSpanID: "span_id",
	ctxConnectionTime: "connection_time", ctxTLSHandshakeTime: "tls_handshake_time",
	ctxServiceTime: "service_time", ctxUpstreamConnectTime: "upstream_connect_time",
	ctxUpstreamTCPConnectTime:   "upstream_tcp_connect_time",
	ctxUpstreamTLSHandshakeTime: "upstream_tls_handshake_time",
	ctxUpstreamConnectionTime:   "upstream_connection_time",
	ctxUpstreamProcessingTime:   "upstream_processing_time",
	ctxUpstreamResponseTime:     "upstream_response_time",
	ctxCompressionTime:          "compression_time",
	ctxCacheLookupTime:          "cache_lookup_time", ctxCacheLockTime: "cache_lock_time",
}

// Clock converts a point in time to the clock of Now.
func Clock(t time.Time) int64 { return int64(t.Sub(epoch)) }

// LookupContext returns the key called name, without its colon; false if there is none.
func LookupContext(name string) (ContextKey, bool) {
	base, isHuman := strings.CutSuffix(name, humanSuffix)
	for key := noContext + 1; key < contextCount; key++ {
		if contextNames[key] != base {
			continue
		}
		if !isHuman {
			return key, true
		}
		return key | human, key >= firstTime
	}
	return noContext, false
}

// AppendContext appends the value of a context key as of now, and reports whether there was one.
func AppendContext(dst []byte, key ContextKey, r *Record) ([]byte, bool) {
	return AppendContextAt(dst, key, r, Now())
}

// AppendContextAt is AppendContext with the time, on the clock of Now, that spans still running end at.
func AppendContextAt(dst []byte, key ContextKey, r *Record, now int64) ([]byte, bool) {
	if base := key &^ human; base >= firstTime {
		span := contextSpan(base, r, now)
		switch {
		case span < 0:
			return dst, false
		case key&human != 0:
			return AppendHumanDuration(dst, span), true
		}
		return strconv.AppendInt(dst, span/int64(time.Millisecond), 10), true
	}
	switch key {
	case ctxConnectionID:
		return strconv.AppendUint(dst, r.Conn.ID, 10), true
	case ctxConnectionReused:
		return strconv.AppendBool(dst, r.Conn.Requests > 0), true
	case ctxProcessing:
		return strconv.AppendInt(dst, r.Processing, 10), true
	case ctxConfigVersion:
		return strconv.AppendUint(dst, r.ConfigVersion, 10), true
	case ctxUpstreamReused:
		return strconv.AppendBool(dst, r.UpstreamReused), true
	case ctxUpstreamStatus:
		return appendStatus(dst, r.UpstreamStatus), true
	case ctxUpstreamConnected:
		if r.UpstreamConnected < 0 {
			return dst, false
		}
		return strconv.AppendInt(dst, r.UpstreamConnected, 10), true
	case ctxCompressionRatio:
		if r.CompressionRatio < 0 {
			return dst, false
		}
		return appendTenths(dst, r.CompressionRatio), true
	}
	if key == ctxTraceID || key == ctxSpanID {
		return r.Trace.appendID(dst, key)
	}
	text := contextText(key, r)
	return append(dst, text...), text != ""
}

// contextText returns the keys that are texts; empty is no value.
func contextText(key ContextKey, r *Record) string {
	switch key {
	case ctxLocation:
		return r.Location
	case ctxUpstreamAddr:
		return r.UpstreamAddr
	}
	if r.Conn.Secure() {
		return r.Conn.TLS.text(key)
	}
	return ""
}

// text returns the keys that are about the encryption; empty is no value.
func (t *TLS) text(key ContextKey) string {
	switch key {
	case ctxTLSVersion:
		return t.Version
	case ctxTLSCipher:
		return t.Cipher
	case ctxTLSSNI:
		return t.ServerName
	case ctxTLSALPN:
		return t.Protocol
	case ctxTLSResumed:
		return strconv.FormatBool(t.Resumed)
	}
	if t.Client == nil {
		return ""
	}
	switch key {
	case ctxTLSClientSubject:
		return t.Client.Subject
	case ctxTLSClientFingerprint:
		return t.Client.Fingerprint
	}
	return ""
}

// contextSpan returns the keys that are spans of time in nanoseconds, Unset for none.
func contextSpan(key ContextKey, r *Record, now int64) int64 {
	switch key {
	case ctxConnectionTime:
		return max(now-r.Conn.Opened, 0)
	case ctxTLSHandshakeTime:
		if !r.Conn.Secure() || r.Conn.Requests > 0 {
			return Unset
		}
		return r.Conn.TLS.Handshake
	case ctxServiceTime:
		return max(now-r.Start, 0)
	case ctxUpstreamConnectTime:
		return r.UpstreamConnect
	case ctxUpstreamTCPConnectTime:
		return r.UpstreamTCPConnect
	case ctxUpstreamTLSHandshakeTime:
		return r.UpstreamTLSHandshake
	case ctxUpstreamConnectionTime:
		return r.UpstreamConnectionAge
	case ctxUpstreamProcessingTime:
		return r.UpstreamProcessing
	case ctxUpstreamResponseTime:
		return r.UpstreamResponse
	case ctxCompressionTime:
		return r.CompressionTime
	case ctxCacheLookupTime:
		return r.CacheLookup
	case ctxCacheLockTime:
		return r.CacheLock
	}
	return Unset
}

func appendStatus(dst []byte, status int) []byte {
	if status == 0 {
		return append(dst, '-')
	}
	return strconv.AppendInt(dst, int64(status), 10)
}

// AppendHumanSize appends a number of bytes for people: base 1000, B to GB, one decimal cut off
// rather than rounded and left out when zero ("1.2KB", "1KB").
func AppendHumanSize(dst []byte, bytes int64) []byte {
	switch {
	case bytes < 1e3:
		return append(strconv.AppendInt(dst, max(bytes, 0), 10), 'B')
	case bytes < 1e6:
		return append(appendShort(dst, bytes/1e2), "KB"...)
	case bytes < 1e9:
		return append(appendShort(dst, bytes/1e5), "MB"...)
	}
	return append(appendShort(dst, bytes/1e8), "GB"...)
}

// AppendHumanDuration appends a span in nanoseconds for people: "12ms", "1.2s", "1.5m", "2.3h", the
// decimal cut off rather than rounded and left out when zero.
func AppendHumanDuration(dst []byte, span int64) []byte {
	ms := max(span, 0) / int64(time.Millisecond)
	switch {
	case ms < 1000:
		return append(strconv.AppendInt(dst, ms, 10), "ms"...)
	case ms < 60*1000:
		return append(appendShort(dst, ms/100), 's')
	case ms < 60*60*1000:
		return append(appendShort(dst, ms/6000), 'm')
	}
	return append(appendShort(dst, ms/360_000), 'h')
}

// appendShort appends a number of tenths, without the decimal when it is zero.
func appendShort(dst []byte, tenths int64) []byte {
	if tenths%10 == 0 {
		return strconv.AppendInt(dst, tenths/10, 10)
	}
	return appendTenths(dst, tenths)
}

func appendTenths(dst []byte, tenths int64) []byte {
	dst = strconv.AppendInt(dst, tenths/10, 10)
	return append(dst, '.', byte('0'+tenths%10))
}
