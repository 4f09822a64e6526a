package otlp

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Bounds of files that a target names.
const (
	maxCA      = 1 << 20
	maxHeaders = 16 << 10
	maxFields  = 32
)

// secure are the settings of TLS: with the CAs of the system, or with those of a file alone.
func secure(o Options) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA == "" {
		return c, nil
	}
	data, err := readFile(o.CA, maxCA)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("ca: %s: no certificate in it", o.CA)
	}
	return c, nil
}

// fields reads header fields for the collector, a line each. They may be secret: no error repeats them.
func fields(path string) (http.Header, error) {
	all := http.Header{}
	if path == "" {
		return all, nil
	}
	data, err := readFile(path, maxHeaders)
	if err != nil {
		return nil, fmt.Errorf("headers_file: %w", err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, found := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case !found || !isName(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r >= 0x7f }):
			return nil, fmt.Errorf("headers_file: %s: line %d: expected name: value", path, n)
		case isOurs(name):
			return nil, fmt.Errorf("headers_file: %s: line %d: this one is not for others to set", path, n)
		case len(all) == maxFields:
			return nil, fmt.Errorf("headers_file: %s: more than %d fields", path, maxFields)
		}
		all.Set(name, value)
	}
	return all, nil
}

// isName is for what both protocols take as the name of a field.
func isName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// isOurs tells fields that the protocol, or what is sent, decides about.
func isOurs(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "grpc-") || strings.HasSuffix(name, "-bin") || slices.Contains([]string{"content-type", "content-encoding",
		"content-length", "host", "user-agent", "te", "trailer", "transfer-encoding", "connection", "upgrade"}, name)
}

// readFile reads a file that is one: nothing waits for a fifo.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s: expected a file of at most %d KiB", path, limit>>10)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}
