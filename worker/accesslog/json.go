package accesslog

import (
	"strconv"

	"pingap/message"
)

// jsonField is a key of the json format and what gives its value, quotes included.
type jsonField struct {
	name  string
	value appender
}

// jsonFields are the keys of the json format in their order; doc.go describes them.
func jsonFields() []jsonField {
	return []jsonField{
		{"time", func(dst []byte, _ *message.Record, _ *part, at instant) []byte {
			return append(at.clock.appendUTC(append(dst, '"'), at.unix), '"')
		}},
		{"server", jsonString(func(r *message.Record) string { return r.Server })},
		{"location", jsonString(func(r *message.Record) string { return r.Location })},
		{"remote", jsonText("remote")},
		{"client_ip", jsonText("client_ip")},
		{"method", jsonText("method")},
		{"scheme", jsonString((*message.Record).Scheme)},
		{"host", jsonText("host")},
		{"uri", jsonText("uri")},
		{"proto", jsonString(proto)},
		{"status", jsonStatus(func(r *message.Record) int { return r.Status })},
		{"size", jsonNumber(func(r *message.Record) int64 { return r.ResponseBody })},
		{"payload_size", jsonNumber(func(r *message.Record) int64 { return r.RequestBody })},
		{"latency_ms", func(dst []byte, r *message.Record, _ *part, at instant) []byte {
			return appendMillis(dst, latency(r, at))
		}},
		{"referer", jsonText("referer")},
		{"user_agent", jsonText("user_agent")},
		{"request_id", jsonText("request_id")},
		{"connection_id", jsonNumber(func(r *message.Record) int64 { return int64(r.Conn.ID) })},
		{"connection_reused", jsonBool(func(r *message.Record) bool { return r.Conn.Requests > 0 })},
		{"tls_version", jsonString(tlsVersion)},
		{"upstream", jsonString(func(r *message.Record) string { return r.Upstream })},
		{"upstream_addr", jsonString(func(r *message.Record) string { return r.UpstreamAddr })},
		{"upstream_status", jsonStatus(func(r *message.Record) int { return r.UpstreamStatus })},
		{"upstream_reused", jsonBool(func(r *message.Record) bool { return r.UpstreamReused })},
		{"upstream_attempts", jsonNumber(func(r *message.Record) int64 { return int64(r.UpstreamAttempts) })},
		{"upstream_connect_ms", jsonSpan(func(r *message.Record) int64 { return r.UpstreamConnect })},
		{"upstream_processing_ms", jsonSpan(func(r *message.Record) int64 { return r.UpstreamProcessing })},
		{"upstream_response_ms", jsonSpan(func(r *message.Record) int64 { return r.UpstreamResponse })},
		{"error", jsonString(func(r *message.Record) string { return r.ErrorType })},
		{"config_version", jsonNumber(func(r *message.Record) int64 { return int64(r.ConfigVersion) })},
	}
}

func jsonFormat(hidden *Hidden) *Format {
	c := compiler{format: &Format{}}
	open := byte('{')
	for _, field := range jsonFields() {
		c.text = append(c.text, open, '"')
		c.text = append(append(c.text, field.name...), '"', ':')
		if inner := hidden.text(field.name, appendJSONInner[[]byte], ""); inner != nil {
			c.add(part{value: inQuotes(inner)})
		} else {
			c.add(part{value: field.value})
		}
		open = ','
	}
	c.format.tail = "}"
	return c.format
}

// inQuotes makes a string of what is escaped already.
func inQuotes(inner appender) appender {
	return func(dst []byte, r *message.Record, p *part, at instant) []byte {
		return append(inner(append(dst, '"'), r, p, at), '"')
	}
}

func jsonText(tag string) appender {
	value := textTag(tag)
	return func(dst []byte, r *message.Record, _ *part, _ instant) []byte {
		return appendJSON(dst, value(r))
	}
}

func jsonString(value func(*message.Record) string) appender {
	return func(dst []byte, r *message.Record, _ *part, _ instant) []byte {
		return appendJSON(dst, value(r))
	}
}

func jsonNumber(value func(*message.Record) int64) appender {
	return func(dst []byte, r *message.Record, _ *part, _ instant) []byte {
		return strconv.AppendInt(dst, value(r), 10)
	}
}

func jsonBool(value func(*message.Record) bool) appender {
	return func(dst []byte, r *message.Record, _ *part, _ instant) []byte {
		return strconv.AppendBool(dst, value(r))
	}
}

// jsonStatus is a status, null for none.
func jsonStatus(value func(*message.Record) int) appender {
	return func(dst []byte, r *message.Record, _ *part, _ instant) []byte {
		if status := value(r); status != 0 {
			return strconv.AppendInt(dst, int64(status), 10)
		}
		return append(dst, "null"...)
	}
}

// jsonSpan is a span in nanoseconds as milliseconds, null for none.
func jsonSpan(value func(*message.Record) int64) appender {
	return func(dst []byte, r *message.Record, _ *part, _ instant) []byte {
		if span := value(r); span >= 0 {
			return appendMillis(dst, span)
		}
		return append(dst, "null"...)
	}
}

// appendMillis appends nanoseconds as milliseconds with three decimals.
func appendMillis(dst []byte, span int64) []byte {
	us := span / 1000
	dst = strconv.AppendInt(dst, us/1000, 10)
	return appendThree(append(dst, '.'), us%1000)
}

func tlsVersion(r *message.Record) string {
	if !r.Conn.Secure() {
		return ""
	}
	return r.Conn.TLS.Version
}
