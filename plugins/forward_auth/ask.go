package forwardauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"pingap/message"
	"pingap/plugins"
)

const (
	// idle connections are kept for so long, so many of them; each request needs one at a time.
	idleTime = 55 * time.Second
	idleMax  = 64
	// maxHead bounds the head of the service's answer, in bytes.
	maxHead = 64 << 10
	// maxDrain bounds what is read of an answer that nobody wants so that its connection can be used again.
	maxDrain = 64 << 10
)

func newTransport(p *plugins.Parameters) (*http.Transport, error) {
	t := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: maxTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		DisableCompression:     true, // what the service sends is relayed as it is
		MaxIdleConns:           idleMax,
		MaxIdleConnsPerHost:    idleMax,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: maxHead,
	}
	pem, err := p.PEM("ca")
	if err != nil || pem == nil {
		return t, err
	}
	t.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return nil, plugins.Errorf("ca", "there is no certificate in it")
	}
	return t, nil
}

// ask returns nil if the request may pass, with the fields of the service added to it, or the service's answer.
func (f *forwardAuth) ask(e *plugins.Exchange) (*plugins.Answer, error) {
	ctx, cancel := context.WithTimeout(f.ended, f.timeout)
	defer cancel()
	response, err := f.transport.RoundTrip(f.question(e).WithContext(ctx)) // not http.Client, which would follow redirects
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode < 200 || response.StatusCode > 599:
		return nil, fmt.Errorf("its answer has the status %d", response.StatusCode)
	case response.StatusCode > 299:
		return f.relay(response)
	}
	if err := f.addTo(&e.Request.Fields, response.Header); err != nil {
		return nil, err
	}
	_, _ = io.CopyN(io.Discard, response.Body, maxDrain) // if it fails, the connection is not used again
	return nil, nil
}

// question is what the service is asked: the head of the client's request, and where it wanted to go.
func (f *forwardAuth) question(e *plugins.Exchange) *http.Request {
	q := &http.Request{
		Method: http.MethodGet, URL: f.url, Host: f.url.Host, Header: make(http.Header, 16),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	f.copyFields(q.Header, &e.Request.Fields)
	if f.passHost && len(e.Request.Host) > 0 {
		q.Host = string(e.Request.Host)
	}
	q.Header["X-Forwarded-Method"] = []string{string(e.Request.Method)}
	q.Header["X-Forwarded-Uri"] = []string{string(e.Request.Target)}
	q.Header["X-Forwarded-Host"] = []string{string(e.Request.Host)}
	q.Header["X-Forwarded-For"] = []string{string(e.ClientIPText)}
	q.Header["X-Forwarded-Proto"] = []string{e.Scheme()}
	if _, ok := q.Header["User-Agent"]; !ok {
		q.Header["User-Agent"] = nil // none, rather than that of Go
	}
	return q
}

// copyFields copies what the service may see. What speaks of the client's connection and body stays here, and what we say ourselves.
func (f *forwardAuth) copyFields(to http.Header, fields *message.Fields) {
	for _, field := range fields.List() {
		name := http.CanonicalHeaderKey(string(field.Name))
		if !ownField(name) && !ofConnection(name) && !named(fields, name) && (f.pass == nil || slices.Contains(f.pass, name)) {
			to[name] = append(to[name], string(field.Value))
		}
	}
}

// ownField tells the fields that we write, whatever the client did; some peers read an underscore as a dash.
func ownField(name string) bool {
	switch http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-")) {
	case "X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Proto":
		return true
	}
	return false
}

// ofConnection tells the fields that belong to a connection or a body (RFC 9110 section 7.6.1).
func ofConnection(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Expect", "Host", "Http2-Settings", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// named tells the fields that the client's Connection names: they end here.
func named(fields *message.Fields, name string) bool {
	for _, field := range fields.List() {
		if field.ID != message.Connection {
			continue
		}
		for option := range strings.SplitSeq(string(field.Value), ",") {
			if strings.EqualFold(strings.TrimSpace(option), name) {
				return true
			}
		}
	}
	return false
}

// addTo gives the request what the service says of it.
func (f *forwardAuth) addTo(fields *message.Fields, from http.Header) error {
	for _, name := range f.add {
		for _, value := range from[name] {
			if !message.ValidValue([]byte(value)) {
				return fmt.Errorf("the value of its %s has a character that a field may not have", name)
			}
			fields.Add(name, []byte(value))
		}
	}
	return nil
}

var errLong = errors.New("the body of its answer is longer than max_body")

// relay makes the service's answer the client's.
func (f *forwardAuth) relay(response *http.Response) (*plugins.Answer, error) {
	if response.ContentLength > f.maxBody {
		return nil, errLong
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, f.maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("body of its answer: %w", err)
	}
	if int64(len(body)) > f.maxBody {
		return nil, errLong
	}
	answer := &plugins.Answer{Status: response.StatusCode, Body: body}
	names := make([]string, 0, len(response.Header))
	for name := range response.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if ofConnection(name) && name != "Proxy-Authenticate" || name == "Date" { // the proxy writes its own
			continue
		}
		for _, value := range response.Header[name] {
			if message.ValidValue([]byte(value)) {
				answer.AddField(name, value)
			}
		}
	}
	return answer, nil
}
