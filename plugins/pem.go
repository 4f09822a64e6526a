package plugins

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxPEM bounds a file of keys or certificates, in bytes.
const maxPEM = 1 << 20

// PEM returns what a text is that is PEM itself, or the path of a file with PEM, which is read once, now; nil without value.
func (p *Parameters) PEM(name string) ([]byte, error) {
	text := strings.TrimSpace(p.String(name))
	if text == "" {
		return nil, nil
	}
	if strings.HasPrefix(text, "-----BEGIN ") {
		return []byte(text), nil
	}
	if !strings.HasPrefix(text, "/") {
		return nil, Errorf(name, "expected PEM, or the absolute path of a file with PEM")
	}
	data, err := readFile(text, maxPEM)
	if err != nil {
		return nil, Errorf(name, "%v", err)
	}
	return data, nil
}

// readFile reads a regular file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path) // before it is opened: a FIFO would wait
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New(path + " is no file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return data, nil
}
