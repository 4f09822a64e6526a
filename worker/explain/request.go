package explain

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"pingap/message"
)

// asked is a question taken apart.
type asked struct {
	secure    bool
	authority string
	host      string // without port and brackets
	port      int    // 0 where the URL has none
	client    netip.Addr
	assumed   bool // nobody said who the client is
	h2        bool
	head      []byte      // in HTTP/1
	list      [][2]string // in HTTP/2
	request   Request
}

// parse reads a question. What a server would refuse, it is to refuse: only what cannot be a request at all is a mistake.
func (q *Question) parse() (*asked, error) {
	a := &asked{}
	scheme, rest, found := strings.Cut(q.URL, "://")
	if !found {
		scheme, rest = "http", q.URL
	}
	switch strings.ToLower(scheme) {
	case "http":
	case "https":
		a.secure = true
	default:
		return nil, mistake(http.StatusBadRequest, "the URL begins with http:// or https://")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	target, _, _ := strings.Cut(rest[end:], "#")
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	if err := a.setAuthority(rest[:end]); err != nil {
		return nil, err
	}
	if err := a.setClient(q.Client); err != nil {
		return nil, err
	}
	p := *q
	if err := p.settleProtocol(); err != nil {
		return nil, err
	}
	if err := a.setHead(&p, target); err != nil {
		return nil, err
	}
	if a.h2 = p.Protocol == ProtocolH2; a.h2 {
		a.setList(&p, target)
	}
	return a, nil
}

// setAuthority reads host and port.
func (a *asked) setAuthority(text string) error {
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		return mistake(http.StatusBadRequest, "the URL has a user in it: give -H 'Authorization: ...' in its place")
	}
	a.authority = text
	host := string(message.HostOnly([]byte(text)))
	if port := strings.TrimPrefix(text[len(host):], ":"); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return mistake(http.StatusBadRequest, "the URL has a port that is none: %.20q", port)
		}
		a.port = int(n)
	}
	a.host = strings.Trim(host, "[]")
	if a.host == "" {
		return mistake(http.StatusBadRequest, "the URL has no host")
	}
	return nil
}

// sni is the name that a client asks for in TLS: addresses are none (RFC 6066 section 3).
func (a *asked) sni() string {
	if _, err := netip.ParseAddr(a.host); err == nil {
		return ""
	}
	return a.host
}

func (a *asked) setClient(text string) error {
	if text == "" {
		a.client, a.assumed = netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
		return nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return mistake(http.StatusBadRequest, "the client is no address: %.50q", text)
	}
	a.client = addr.Unmap().WithZone("")
	return nil
}

// setHead writes the head as a client of HTTP/1 would.
func (a *asked) setHead(q *Question, target string) error {
	if len(q.Headers) > maxHeaders {
		return mistake(http.StatusBadRequest, "%d headers, at most %d", len(q.Headers), maxHeaders)
	}
	method := q.Method
	if method == "" {
		method = "GET"
	}
	if strings.ContainsAny(method+target+a.authority, "\r\n\x00") {
		return mistake(http.StatusBadRequest, "method and URL are one line")
	}
	fields, host := "", a.authority
	for _, h := range q.Headers {
		if !message.ValidToken([]byte(h[0])) || !message.ValidValue([]byte(h[1])) {
			return mistake(http.StatusBadRequest, "a header is no header: %.50q", h[0])
		}
		if strings.EqualFold(h[0], "Host") {
			host = h[1]
			continue
		}
		fields += h[0] + ": " + h[1] + "\r\n"
	}
	a.head = []byte(method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + fields + "\r\n")
	a.request = Request{Method: method, Host: host, Protocol: ProtocolHTTP1}
	var r message.Request
	r.SetTarget([]byte(target))
	a.request.Path, a.request.Normalized = string(r.Path), string(r.NormalPath())
	return nil
}
