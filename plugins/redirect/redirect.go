package redirect

import (
	"bytes"
	"errors"
	"strings"

	"pingap/message"
	"pingap/plugins"
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "redirect",
		Summary:  "Redirects to https or http, and to a path below a prefix.",
		Steps:    []plugins.Step{plugins.Request},
		Plain:    true,
		Params: []plugins.Param{
			{Name: "http_to_https", Type: plugins.Bool, Default: false, Help: "Whether clients belong on https. Without it they belong on http, and requests by https are redirected there."},
			{Name: "prefix", Type: plugins.String, Help: "What the path must begin with; put before a path that does not. Empty or \"/\" is none; a missing leading slash is added."},
			{Name: "status", Type: plugins.Int, Default: int64(307), Help: "Status of the redirect: 301, 302, 307 or 308."},
		},
		New: build,
	}
}

// redirect is an instance.
type redirect struct {
	https  bool
	prefix []byte // with a leading slash; empty for none
	status int
	field  []byte          // "Location", shared by all answers
	noHost *plugins.Answer // shared by all requests
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	prefix, prefixErr := readPrefix(p.String("prefix"))
	r := &redirect{
		https: p.Bool("http_to_https"), prefix: prefix, status: int(p.Int("status")),
		field:  []byte("Location"),
		noHost: plugins.Text(400, "Host is missing or invalid"),
	}
	var statusErr error
	switch r.status {
	case 301, 302, 307, 308:
	default:
		statusErr = plugins.Errorf("status", "expected 301, 302, 307 or 308, found %d", r.status)
	}
	if err := errors.Join(prefixErr, statusErr); err != nil {
		return nil, err
	}
	return r, nil
}

// readPrefix returns a prefix in normal form: with another one no path would ever begin with it.
func readPrefix(text string) ([]byte, error) {
	if len(text) <= 1 {
		return nil, nil
	}
	if text[0] != '/' {
		text = "/" + text
	}
	var r message.Request
	r.SetTarget([]byte(text))
	if !message.ValidTarget(r.Target) || strings.ContainsAny(text, "?#") {
		return nil, plugins.Errorf("prefix", "expected the begin of a path, without query and blanks")
	}
	if normal := r.NormalPath(); string(normal) != "/" {
		return normal, nil
	}
	return nil, nil
}

// Decide redirects a request that has the wrong scheme or lacks the prefix.
func (r *redirect) Decide(e *plugins.Exchange) plugins.Decision {
	request := &e.Request
	prefixed := bytes.HasPrefix(request.NormalPath(), r.prefix)
	if e.Conn.Secure() == r.https && prefixed {
		return plugins.Continue
	}
	host := request.HostName()
	if !plainHost(host) {
		return plugins.Respond(r.noHost, "redirect without host")
	}
	location := make([]byte, 0, len("https://")+len(host)+len(r.prefix)+len(request.Target)+1)
	location = append(location, "http"...)
	if r.https {
		location = append(location, 's')
	}
	location = append(append(location, "://"...), host...)
	location = r.appendTarget(location, request, prefixed)
	answer := &plugins.Answer{Status: r.status, Fields: []message.Field{{
		Name: r.field, Value: location, ID: message.LocationField,
	}}}
	return plugins.Respond(answer, "redirect")
}

// appendTarget appends path and query. The prefix is put before the path in normal form, so that
// the result begins with it in that form too and is not redirected again.
func (r *redirect) appendTarget(dst []byte, request *message.Request, prefixed bool) []byte {
	switch {
	case len(request.Path) == 0 || request.Path[0] != '/': // "*"; without a slash it would become part of the host
		if !prefixed {
			return append(dst, r.prefix...)
		}
		return append(dst, '/')
	case prefixed:
		return append(dst, request.Target...)
	}
	dst = append(dst, bytes.TrimSuffix(r.prefix, []byte("/"))...)
	dst = append(dst, request.NormalPath()...)
	if request.HasQuery {
		dst = append(append(dst, '?'), request.Query...)
	}
	return dst
}

// plainHost accepts names, IPv4 and bracketed IPv6 addresses. Anything else of RFC 3986's reg-name has no use in
// a URL of the web, and some of it is read differently by different clients.
func plainHost(host []byte) bool {
	if len(host) == 0 {
		return false
	}
	allowed := byte('.')
	if host[0] == '[' {
		if len(host) < 3 || host[len(host)-1] != ']' {
			return false
		}
		host, allowed = host[1:len(host)-1], ':'
	}
	for _, c := range host {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '.' && c != '-' && c != '_' && c != allowed {
			return false
		}
	}
	return true
}
