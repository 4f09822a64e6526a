package forwardauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pingap/message"
	"pingap/plugins"
)

const (
	maxTimeout = time.Minute
	maxMaxBody = 64 << 20
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "forward_auth",
		Summary:  "Asks a service over HTTP whether a request may pass.",
		Steps:    []plugins.Step{plugins.Request},
		Params: []plugins.Param{
			{Name: "auth_url", Type: plugins.String, Required: true, Help: "Address of the service, http or https. Redirects are not followed but relayed."},
			{Name: "request_headers", Type: plugins.Strings, Help: "Fields of the request that the service gets; empty is all, Host included."},
			{Name: "add_headers", Type: plugins.Strings, Help: "Fields of the service's answer that the request gets when it passes; what the client sent under such a name is removed."},
			{Name: "timeout", Type: plugins.Duration, Default: "10s", Help: "Longest time to wait for the service's whole answer, at most 1m."},
			{Name: "max_body", Type: plugins.Size, Default: "1mb", Help: "Longest body of the service's answer that is relayed; a longer one is a failure. It is held in memory."},
			{Name: "ca", Type: plugins.String, Help: "Who signs the service's certificate: PEM, or the absolute path of a file with PEM, read when the configuration is applied. Empty is the authorities of the system."},
		},
		New: build,
	}
}

// forwardAuth is an instance.
type forwardAuth struct {
	url      *url.URL
	pass     []string // canonical names; nil for all
	passHost bool
	add      []string
	timeout  time.Duration
	maxBody  int64

	transport *http.Transport
	ended     context.Context // over when the instance is closed
	end       context.CancelFunc
	failed    *plugins.Answer // shared by all requests

	log    *zap.Logger
	logged atomic.Int64 // when a failure was last said, on the clock of message.Now
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	f := &forwardAuth{timeout: p.Duration("timeout"), maxBody: p.Size("max_body"), failed: plugins.Text(502, "Forward auth request failed"), log: p.Services().Logger("forward_auth")}
	var urlErr, timeErr, sizeErr, tlsErr error
	f.url, urlErr = readURL(p.String("auth_url"))
	if f.timeout <= 0 || f.timeout > maxTimeout {
		timeErr = plugins.Errorf("timeout", "expected more than 0s and at most %s, found %s", maxTimeout, f.timeout)
	}
	if f.maxBody < 1 || f.maxBody > maxMaxBody {
		sizeErr = plugins.Errorf("max_body", "expected 1 byte to 64mib")
	}
	passErr, addErr := f.readNames(p)
	f.transport, tlsErr = newTransport(p)
	if err := errors.Join(urlErr, passErr, addErr, timeErr, sizeErr, tlsErr); err != nil {
		return nil, err
	}
	f.ended, f.end = context.WithCancel(context.Background())
	return f, nil
}

func readURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil: // what is in it may be secret
		return nil, plugins.Errorf("auth_url", "expected an address such as http://127.0.0.1:9000/verify")
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.Opaque != "":
		return nil, plugins.Errorf("auth_url", "expected an address such as http://127.0.0.1:9000/verify")
	case u.User != nil || u.Fragment != "":
		return nil, plugins.Errorf("auth_url", "expected an address without user and without #")
	}
	return u, nil
}

// readNames reads which fields go to the service, and which come from it.
func (f *forwardAuth) readNames(p *plugins.Parameters) (passErr, addErr error) {
	var problems []error
	for i, name := range p.Strings("request_headers") {
		if strings.EqualFold(name, "host") {
			f.passHost = true
		} else if err := plugins.CheckFieldName(name); err != nil {
			problems = append(problems, plugins.EntryErrorf("request_headers", i, "%v", err))
			continue
		}
		f.pass = append(f.pass, http.CanonicalHeaderKey(name))
	}
	f.passHost = f.passHost || f.pass == nil
	passErr = errors.Join(problems...)
	problems = nil
	for i, name := range p.Strings("add_headers") {
		if err := plugins.CheckFieldName(name); err != nil {
			problems = append(problems, plugins.EntryErrorf("add_headers", i, "%v", err))
		}
		f.add = append(f.add, http.CanonicalHeaderKey(name))
	}
	return passErr, errors.Join(problems...)
}

// Decide asks the service.
func (f *forwardAuth) Decide(e *plugins.Exchange) plugins.Decision {
	for _, name := range f.add {
		plugins.Disown(&e.Request.Fields, name)
	}
	answer, err := f.ask(e)
	if err != nil {
		f.sayFailed(err)
		return plugins.Respond(f.failed, "the service could not be asked")
	}
	if answer != nil {
		return plugins.Respond(answer, "refused by the service")
	}
	return plugins.Continue
}

// sayFailed logs a failure, at most one in a second.
func (f *forwardAuth) sayFailed(err error) {
	now, last := message.Now(), f.logged.Load()
	if last != 0 && now-last < int64(time.Second) || !f.logged.CompareAndSwap(last, now) {
		return
	}
	f.log.Warn("the service cannot be asked, requests are refused", zap.String("host", f.url.Host), zap.Error(withoutURL(err)))
}

// withoutURL takes the address off an error: its query may be secret.
func withoutURL(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// Close ends connections and questions.
func (f *forwardAuth) Close() error {
	f.end()
	f.transport.CloseIdleConnections()
	return nil
}
