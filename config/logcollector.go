package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// collectorScheme begins the URL of a collector: otlp+grpc, otlp+grpcs, otlp+http or otlp+https.
const collectorScheme = "otlp+"

const (
	collectorTimeout    = Duration(10 * time.Second)
	maxCollectorTimeout = Duration(time.Minute)
	maxServiceName      = 128
)

// LogCollector is where log lines go by OTLP. It is comparable.
type LogCollector struct {
	GRPC   bool
	Secure bool   // TLS
	Host   string // host:port
	Path   string // of HTTP; default /v1/logs

	Service string   // service.name of the resource; default pingap
	Timeout Duration // within which a batch must be taken, attempts included; default 10s
	Gzip    bool

	// CA and HeadersFile are paths of files, read where the target is opened: PEM in place of the CAs of the system, and header fields for the
	// collector. What is secret in them is not in the configuration.
	CA, HeadersFile string
}

// IsLogCollector reports whether a target of a log is the URL of a collector.
func IsLogCollector(target string) bool { return strings.HasPrefix(target, collectorScheme) }

// ParseLogCollector reads otlp+grpc://host[:4317] or otlp+http://host[:4318][/path], with an s behind the protocol for TLS, and the options
// service, timeout, compression=gzip, ca and headers_file.
func ParseLogCollector(text string) (LogCollector, error) {
	c := LogCollector{Service: "pingap", Timeout: collectorTimeout}
	u, err := url.Parse(text)
	if err != nil {
		return c, errors.New("expected a URL such as otlp+grpc://host:4317") // what was found may hold a secret
	}
	port := "4317"
	switch strings.TrimPrefix(u.Scheme, collectorScheme) {
	case "grpc", "grpcs":
		c.GRPC = true
	case "http", "https":
		port, c.Path = "4318", "/v1/logs"
	default:
		return c, fmt.Errorf("expected otlp+grpc, otlp+grpcs, otlp+http or otlp+https, found %q", clip(u.Scheme))
	}
	c.Secure = strings.HasSuffix(u.Scheme, "s")
	switch {
	case u.Hostname() == "":
		return c, errors.New("expected a host, as in otlp+grpc://host:4317")
	case u.User != nil:
		return c, errors.New("user and password are not for the URL of a collector")
	case u.Path != "" && u.Path != "/" && c.GRPC:
		return c, errors.New("gRPC takes no path")
	case u.Path != "" && u.Path != "/":
		c.Path = u.EscapedPath()
	}
	if u.Port() != "" {
		port = u.Port()
	}
	c.Host = net.JoinHostPort(u.Hostname(), port)
	options, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return c, errors.New("expected options as key=value with & between")
	}
	for _, key := range sortedKeys(options) {
		if err := c.set(key, options.Get(key)); err != nil {
			return c, err
		}
	}
	if c.CA != "" && !c.Secure {
		return c, errors.New("ca: it is for otlp+grpcs and otlp+https")
	}
	return c, nil
}

func (c *LogCollector) set(key, value string) error {
	switch key {
	case "service":
		if value == "" || len(value) > maxServiceName {
			return fmt.Errorf("service: expected 1 to %d bytes", maxServiceName)
		}
		c.Service = value
	case "timeout":
		d, err := ParseDuration(value)
		if err != nil || d <= 0 || d > maxCollectorTimeout {
			return fmt.Errorf("timeout: expected a duration of at most %s such as 10s, found %q", maxCollectorTimeout, clip(value))
		}
		c.Timeout = d
	case "compression":
		if value != Gzip {
			return fmt.Errorf("compression: expected gzip, found %q", clip(value))
		}
		c.Gzip = true
	case "ca", "headers_file":
		if !filepath.IsAbs(value) {
			return fmt.Errorf("%s: expected the absolute path of a file, found %q", key, clip(value))
		}
		if key == "ca" {
			c.CA = value
		} else {
			c.HeadersFile = value
		}
	case "channel_buffer", "flush_timeout": // of all targets
	default:
		return fmt.Errorf("unknown option %q of a collector: expected service, timeout, compression, ca or headers_file", clip(key))
	}
	return nil
}
