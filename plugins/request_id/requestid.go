package requestid

import (
	"pingap/message"
	"pingap/plugins"
)

const (
	defaultHeader = "X-Request-Id"
	// maxLength bounds an id that the client brought and one made here.
	maxLength = 128
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "request_id",
		Summary:  "Gives each request an id, for upstream, response and log.",
		Steps:    []plugins.Step{plugins.Request, plugins.ProxyUpstream},
		Plain:    true,
		Params: []plugins.Param{
			{Name: "algorithm", Type: plugins.String, Enum: []string{"uuid", "uuidv7", "nanoid"}, Default: "uuid", Help: "How an id is made: uuid and uuidv7 are a UUID of version 7, which sorts by time."},
			{Name: "size", Type: plugins.Int, Unit: "characters", Min: 1, Max: maxLength, Default: int64(8), Help: "Length of a nanoid."},
			{Name: "header_name", Type: plugins.String, Default: defaultHeader, Help: "Request field that holds the id, as it comes and as it goes upstream."},
		},
		New: build,
	}
}

// requestID is an instance.
type requestID struct {
	header string
	size   int // of a nanoid; 0 makes UUIDs
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	r := &requestID{header: p.String("header_name")}
	if err := plugins.CheckFieldName(r.header); err != nil {
		return nil, plugins.Errorf("header_name", "%v", err)
	}
	if p.String("algorithm") == "nanoid" {
		r.size = int(p.Int("size"))
	}
	return r, nil
}

// Decide keeps the id of the request or makes one. It always lets the request go on.
func (r *requestID) Decide(e *plugins.Exchange) plugins.Decision {
	fields := &e.Request.Fields
	id, count := r.brought(fields)
	if !sane(id) {
		var memory [maxLength]byte
		e.SetRequestID(r.appendID(memory[:0], e.At(e.Start).UnixMilli()))
		fields.Set(r.header, e.RequestID)
		return plugins.Continue
	}
	e.SetRequestID(id)
	if count > 1 { // which of several a backend reads is anybody's guess
		fields.Set(r.header, e.RequestID)
	}
	return plugins.Continue
}

// brought returns the first id that the request holds, and how many it holds.
func (r *requestID) brought(fields *message.Fields) (id []byte, count int) {
	for _, f := range fields.List() {
		if message.EqualFold(f.Name, r.header) {
			if count == 0 {
				id = f.Value
			}
			count++
		}
	}
	return id, count
}

// sane reports whether an id from outside may go on to upstream, response and log.
func sane(id []byte) bool {
	return len(id) > 0 && len(id) <= maxLength && message.ValidTarget(id) // visible ASCII
}

func (r *requestID) appendID(dst []byte, milliseconds int64) []byte {
	if r.size > 0 {
		return appendNanoID(dst, r.size)
	}
	return appendUUID(dst, milliseconds)
}

// Response puts the id on a response from upstream or cache; the name is always X-Request-Id. A stored one gets the id of the request that it answers,
// and not of the one that it was stored for.
func (r *requestID) Response(e *plugins.Exchange) {
	if len(e.RequestID) > 0 {
		e.Response.Fields.Set(defaultHeader, e.RequestID)
	}
}
