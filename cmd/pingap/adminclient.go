package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"pingap/control/admin/api"
)

const (
	adminName = "admin.sock"
	// maxAdminAnswer bounds what is read of an answer.
	maxAdminAnswer = 64 << 20
)

// dialAdmin connects to the admin interface of the running instance: in the first run directory where somebody listens.
func (c *call) dialAdmin(ctx context.Context) (net.Conn, error) {
	d := c.dirs(c.runDir)
	var tried []string
	for _, dir := range d.candidates() {
		err := d.reachable(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("run directory: %w", err)
		}
		var conn net.Conn
		if err == nil {
			conn, err = (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, adminName))
		}
		switch {
		case err == nil:
			return conn, nil
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
			tried = append(tried, dir)
		default:
			return nil, fmt.Errorf("admin socket: %w", err)
		}
	}
	return nil, fmt.Errorf("%w (looked in %q)", errNotRunning, tried)
}

// adminRequest asks the admin interface and returns the body of its answer, which is JSON. path is below /api. What it refuses is an error with its words.
func (c *call) adminRequest(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dialAdmin(ctx) }}
	request, err := http.NewRequestWithContext(ctx, method, "http://localhost/api"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, ended(ctx, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAdminAnswer+1))
	switch {
	case err != nil:
		return nil, ended(ctx, err)
	case len(answer) > maxAdminAnswer:
		return nil, errors.New("the answer is too long")
	case response.StatusCode != http.StatusOK:
		return nil, refusedBy(response.StatusCode, answer)
	}
	return answer, nil
}

// ended is the error of an exchange that has no answer.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return errNoAnswer
	}
	return err
}

// refusedBy reads an answer that is an error.
func refusedBy(status int, answer []byte) error {
	var e api.Error
	if json.Unmarshal(answer, &e) != nil || e.Message == "" {
		return fmt.Errorf("the running instance answers %d", status)
	}
	return errors.New(e.Message)
}
