package subfilter

import (
	"bytes"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"pingap/message"
	"pingap/plugins"
)

const (
	maxMaxBody = 1 << 30
	// growth bounds how many times max_body a body may have after replacing.
	growth = 4
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "sub_filter",
		Summary:  "Replaces text in response bodies.",
		Params: []plugins.Param{
			{Name: "path", Type: plugins.Regex, Help: "Paths whose responses are filtered; empty is all."},
			{Name: "filters", Type: plugins.Strings, Required: true, Help: "Replacements in their order: sub_filter 'text' 'replacement', or subs_filter 'regex' 'replacement' where $1 is a group. The flag g after it replaces all, not the first; i ignores case (subs_filter only)."},
			{Name: "status_codes", Type: plugins.String, Help: "Comma list of the statuses whose responses are filtered; empty is all."},
			{Name: "max_body", Type: plugins.Size, Default: "8mb", Help: "Longest body that is held for replacing, where filters has a subs_filter; a longer one passes unchanged. Without one nothing is held."},
		},
		New: build,
	}
}

// subFilter is an instance.
type subFilter struct {
	path    *regexp.Regexp // nil for all
	rules   []rule
	status  []int // empty for all
	maxBody int64
	streams bool // the rules can be applied while a body passes
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	s := &subFilter{path: p.Regex("path"), maxBody: p.Size("max_body")}
	var statusErr, sizeErr, rulesErr error
	s.status, statusErr = readStatuses(p.String("status_codes"))
	if s.maxBody < 1 || s.maxBody > maxMaxBody {
		sizeErr = plugins.Errorf("max_body", "expected 1 byte to 1gib")
	}
	s.rules, rulesErr = readRules(p.Strings("filters"))
	if err := errors.Join(statusErr, sizeErr, rulesErr); err != nil {
		return nil, err
	}
	s.streams = streams(s.rules)
	return s, nil
}

func readStatuses(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	var all []int
	for part := range strings.SplitSeq(text, ",") {
		status, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || status < 200 || status > 599 {
			return nil, plugins.Errorf("status_codes", "expected a comma list of statuses such as 200,201")
		}
		all = append(all, status)
	}
	return all, nil
}

func readRules(texts []string) ([]rule, error) {
	var rules []rule
	var problems []error
	for i, text := range texts {
		r, err := parseRule(text)
		if err != nil {
			problems = append(problems, plugins.EntryErrorf("filters", i, "%v", err))
			continue
		}
		rules = append(rules, r)
	}
	return rules, errors.Join(problems...)
}

// Response makes the ETag of a 304 weak: it speaks of a response that was filtered, and a strong one
// would not fit what the client stored (RFC 9111 section 4.3.4).
func (s *subFilter) Response(e *plugins.Exchange) {
	if e.Response.Status == 304 && s.hasPath(e) {
		weaken(&e.Response.Fields)
	}
}

// BodyFilter takes the body of a response that is to be filtered, and changes its head accordingly.
func (s *subFilter) BodyFilter(e *plugins.Exchange) plugins.Filter {
	r := &e.Response
	if !s.hasPath(e) || !s.takes(r, e.Request.MethodID == message.HEAD) {
		return nil
	}
	weaken(&r.Fields)
	r.Fields.DelID(message.AcceptRanges)
	for _, digest := range [...]string{"Content-MD5", "Digest", "Content-Digest", "Repr-Digest"} {
		r.Fields.Del(digest)
	}
	if s.streams {
		return newStream(s.rules)
	}
	return &filter{owner: s, announced: r.BodyLength}
}

// takes reports whether a response is one whose body is filtered.
func (s *subFilter) takes(r *message.Response, head bool) bool {
	switch {
	case r.Status < 200, r.Status == 204, r.Status == 206, r.Status == 304, !s.hasStatus(r.Status):
		return false
	}
	if (r.BodyLength == 0 && !head) || r.BodyLength > s.maxBody && !s.streams {
		return false
	}
	encoding := r.Fields.Get(message.ContentEncoding)
	if len(encoding) > 0 && !message.EqualFold(encoding, "identity") {
		return false
	}
	const stream = "text/event-stream"
	media := r.Fields.Get(message.ContentType)
	return len(media) < len(stream) || !message.EqualFold(media[:len(stream)], stream)
}

func (s *subFilter) hasPath(e *plugins.Exchange) bool {
	return s.path == nil || s.path.Match(e.Request.NormalPath())
}

func (s *subFilter) hasStatus(status int) bool {
	for _, each := range s.status {
		if each == status {
			return true
		}
	}
	return len(s.status) == 0
}

// weaken makes a strong ETag weak (RFC 9110 section 8.8.1): the bytes are not the upstream's.
func weaken(fields *message.Fields) {
	tag := fields.Get(message.ETag)
	if len(tag) == 0 || bytes.HasPrefix(tag, []byte("W/")) {
		return
	}
	fields.Set("ETag", append([]byte("W/"), tag...))
}

// filter holds one body until it is complete.
type filter struct {
	owner     *subFilter
	announced int64 // bytes to come, or message.LengthUnknown
	held      []byte
	passing   bool // the body is too long: the rest goes through
}

// Filter holds piece back, or lets everything go.
func (f *filter) Filter(dst, piece []byte, last bool) ([]byte, error) {
	if f.passing {
		return append(dst, piece...), nil
	}
	if int64(len(f.held)+len(piece)) > f.owner.maxBody {
		dst = append(append(dst, f.held...), piece...)
		f.held, f.passing = nil, true
		return dst, nil
	}
	if last && f.held == nil { // came whole: no need to copy it
		return append(dst, f.owner.replace(piece)...), nil
	}
	if f.held == nil && f.announced > 0 {
		f.held = make([]byte, 0, f.announced)
	}
	f.held = append(f.held, piece...)
	if !last {
		return dst, nil
	}
	dst = append(dst, f.owner.replace(f.held)...)
	f.held = nil
	return dst, nil
}

// replace applies every rule. A body that would become too long is returned as it came, whole.
func (s *subFilter) replace(body []byte) []byte {
	if len(body) == 0 { // of a HEAD request, or none at all
		return nil
	}
	result := body
	for i := range s.rules {
		var ok bool
		if result, ok = s.rules[i].replace(result, growth*int(s.maxBody)); !ok {
			return body
		}
	}
	return result
}
