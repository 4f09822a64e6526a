package config

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Kinds of health checks, as the schemes of health_check say.
const (
	HealthTCP   = "tcp"
	HealthHTTP  = "http"
	HealthHTTPS = "https"
	HealthGRPC  = "grpc"
)

// Bounds of what health_check may say; what lies beyond is set to the bound.
const (
	leastCheckFrequency = time.Second
	mostCheckFrequency  = day
	mostCheckTimeout    = time.Minute
	mostCheckThreshold  = 1000
	maxHealthCheck      = 4096 // bytes of the URL
)

// HealthCheck is what health_check says: how backends are checked, and what counts.
type HealthCheck struct {
	Scheme            string // HealthTCP and others
	Host              string // of the URL, with its port where it has one: the Host header; the name in TLS is without port
	Path              string // path and query for HTTP, as it goes into the request line, without the parameters below
	ConnectionTimeout time.Duration
	ReadTimeout       time.Duration // from connected to the end of the answer
	Frequency         time.Duration // from one check of a backend to the next
	Success           int           // checks in a row that must succeed until a backend is healthy
	Failure           int           // checks in a row that must fail until it is unhealthy
	Reuse             bool          // keep the connection for the next check
	Parallel          bool          // check all backends of the upstream at once
	TLS               bool          // grpc over TLS
	Service           string        // that grpc asks for

	// Odd are parts of the URL that were not understood; defaults hold for these. Each begins with the name of its parameter.
	Odd []string
}

const healthForm = "expected a URL such as http://name/path?check_frequency=10s with tcp, http, https or grpc"

// ServerName is the host without its port, as TLS sends it.
func (h *HealthCheck) ServerName() string {
	u := url.URL{Host: h.Host}
	return u.Hostname()
}

// Health is how the backends of the upstream are checked: as health_check says, or by connecting where it is empty. With transparent
// discovery there are no backends to check.
func (u *Upstream) Health() (HealthCheck, error) { return ParseHealthCheck(u.HealthCheck) }

// ParseHealthCheck reads a health_check.
func ParseHealthCheck(text string) (HealthCheck, error) {
	h := HealthCheck{Scheme: HealthTCP, ConnectionTimeout: 3 * time.Second, ReadTimeout: 3 * time.Second, Frequency: 10 * time.Second, Success: 1, Failure: 1}
	if text == "" {
		return h, nil
	}
	h.Failure = 2
	if len(text) > maxHealthCheck {
		return h, fmt.Errorf("expected a URL of at most %d bytes", maxHealthCheck)
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" {
		return h, errors.New(healthForm) // the URL may hold a token: it is not quoted
	}
	if !contains([]string{HealthTCP, HealthHTTP, HealthHTTPS, HealthGRPC}, parsed.Scheme) {
		return h, fmt.Errorf("%s, found %q", healthForm, clip(parsed.Scheme))
	}
	if name := parsed.Hostname(); name == "" || !validHost(name) {
		return h, fmt.Errorf("%s, found the host %q", healthForm, clip(name))
	}
	h.Scheme, h.Host = parsed.Scheme, parsed.Host
	if parsed.User != nil {
		h.odd("user", "no effect: names and passwords are not sent")
	}
	h.Path = parsed.EscapedPath()
	if h.Path == "" {
		h.Path = "/"
	}
	h.parameters(parsed.RawQuery)
	return h, nil
}

func (h *HealthCheck) odd(name, format string, args ...any) {
	h.Odd = append(h.Odd, name+": "+fmt.Sprintf(format, args...))
}

// parameters takes the ones of the check out of the query, and leaves others where they are.
func (h *HealthCheck) parameters(query string) {
	rest := ""
	for _, part := range strings.Split(query, "&") {
		if part == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(part, "=")
		name, nameErr := url.QueryUnescape(rawName)
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			value = rawValue
		}
		if nameErr == nil && h.parameter(name, value) {
			continue
		}
		if h.Scheme == HealthTCP || h.Scheme == HealthGRPC {
			h.odd(clip(name), "unknown parameter, it has no effect with %s", h.Scheme)
		}
		rest += "&" + visibleQuery(part)
	}
	if rest != "" {
		h.Path += "?" + rest[1:]
	}
}

// parameter takes one parameter, unless it is none of the check's.
func (h *HealthCheck) parameter(name, value string) bool {
	switch name {
	case "connection_timeout":
		h.span(name, value, &h.ConnectionTimeout, time.Millisecond, mostCheckTimeout)
	case "read_timeout":
		h.span(name, value, &h.ReadTimeout, time.Millisecond, mostCheckTimeout)
	case "check_frequency":
		h.span(name, value, &h.Frequency, leastCheckFrequency, mostCheckFrequency)
	case "success":
		h.count(name, value, &h.Success)
	case "failure":
		h.count(name, value, &h.Failure)
	case "reuse":
		h.Reuse = isOn(value)
	case "parallel":
		h.Parallel = isOn(value)
	case "tls":
		h.TLS = isOn(value)
		h.onlyGRPC(name)
	case "service":
		h.Service = value
		h.onlyGRPC(name)
	default:
		return false
	}
	return true
}

func (h *HealthCheck) onlyGRPC(name string) {
	if h.Scheme != HealthGRPC {
		h.odd(name, "no effect with %s, it is for grpc", h.Scheme)
	}
}

func (h *HealthCheck) span(name, value string, to *time.Duration, least, most time.Duration) {
	given, err := ParseDuration(value)
	d := given.Std()
	switch {
	case err != nil:
		h.odd(name, "%v; %s is used", err, Duration(*to))
		return
	case d == 0:
		h.odd(name, "expected more than 0s; %s is used", Duration(*to))
		return
	case d < least:
		d = least
	case d > most:
		d = most
	}
	if d != given.Std() {
		h.odd(name, "expected %s to %s, found %s; %s is used", Duration(least), Duration(most), given, Duration(d))
	}
	*to = d
}

func (h *HealthCheck) count(name, value string, to *int) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > mostCheckThreshold {
		h.odd(name, "expected 1 to %d, found %q; %d is used", mostCheckThreshold, clip(value), *to)
		return
	}
	*to = n
}

// isOn reads a parameter that need not have a value.
func isOn(value string) bool {
	switch strings.ToLower(value) {
	case "false", "0", "off", "no":
		return false
	}
	return true
}

// visibleQuery encodes what must not stand in a request line; url.Parse lets it pass in a query.
func visibleQuery(part string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(part) {
		if c <= ' ' || c >= 0x7f || c == '#' {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
