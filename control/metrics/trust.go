package metrics

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// maxCA bounds a file of CAs, in bytes.
const maxCA = 1 << 20

// trust are the settings of TLS: with the CAs of the system, or of a file alone.
func trust(path string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if path == "" {
		return c, nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // nothing waits for a fifo
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxCA {
		return nil, fmt.Errorf("ca: %s: expected a file of at most %d KiB", path, maxCA>>10)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxCA))
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("ca: %s: no certificate in it", path)
	}
	return c, nil
}
