package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"pingap/ipc"
)

var (
	errNotRunning = errors.New("not running")
	errNoAnswer   = errors.New("no answer in time")
	errHungUp     = errors.New("the connection ended without an answer")
)

// instance is a running pingap, found by its run directory.
type instance struct {
	dir  string
	conn *ipc.Conn
}

// connect finds the running instance: the first run directory that somebody
// listens in.
func (c *call) connect(ctx context.Context) (*instance, error) {
	d := c.dirs(c.runDir)
	var tried []string
	for _, dir := range d.candidates() {
		if err := d.reachable(dir); err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("run directory: %w", err)
			}
			tried = append(tried, dir)
			continue
		}
		conn, err := ipc.Dial(ctx, filepath.Join(dir, socketName))
		switch {
		case err == nil:
			return &instance{dir: dir, conn: conn}, nil
		case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
			tried = append(tried, dir)
		default:
			return nil, fmt.Errorf("control socket: %w", err)
		}
	}
	return nil, fmt.Errorf("%w (looked in %q)", errNotRunning, tried)
}

// ask sends one request and returns its answer.
func (i *instance) ask(ctx context.Context, request ipc.Body) (ipc.Body, error) {
	if err := i.conn.Send(ctx, 1, request); err != nil {
		return nil, timedOut(ctx, err)
	}
	for {
		m, err := i.conn.Receive(ctx)
		if err != nil {
			return nil, timedOut(ctx, err)
		}
		m.Close()
		if m.Txn == 1 {
			return m.Body, nil
		}
	}
}

func timedOut(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return errNoAnswer
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errHungUp
	}
	return err
}

// request connects, asks and hangs up.
func (c *call) request(ctx context.Context, request ipc.Body) (ipc.Body, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	i, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer i.conn.Close()
	return i.ask(ctx, request)
}

// failed prints why a verb did not succeed and returns its exit code.
func (c *call) failed(err error) int {
	switch {
	case errors.Is(err, errNotRunning):
		fmt.Fprintf(c.stderr, "pingap: %v\n", err)
		return exitNotRunning
	case errors.Is(err, errNoAnswer):
		fmt.Fprintf(c.stderr, "pingap: %v (%s)\n", err, c.timeout)
		return exitTimeout
	case errors.Is(err, os.ErrPermission):
		fmt.Fprintf(c.stderr, "pingap: %v: this user may not control the instance\n", err)
		return exitFailed
	}
	return c.fail(err)
}

// unexpected handles an answer that is not the one hoped for.
func (c *call) unexpected(answer ipc.Body) int {
	switch a := answer.(type) {
	case *ipc.Refused:
		if c.json {
			c.printJSON(refused{refusal(a), orEmpty(a.Errors)})
		}
		fmt.Fprintf(c.stderr, "pingap: refused: %s\n", refusal(a))
		for _, e := range a.Errors {
			fmt.Fprintf(c.stderr, "  %s\n", e)
		}
	case *ipc.Unknown:
		fmt.Fprintln(c.stderr, "pingap: the running instance is another version and does not know this command")
	default:
		fmt.Fprintf(c.stderr, "pingap: unexpected answer %s\n", answer.Type())
	}
	return exitFailed
}

// refusal is the sentence about who refused what.
func refusal(r *ipc.Refused) string {
	text := r.Reason
	if r.Path != "" {
		text = r.Path + ": " + text
	}
	if r.Worker != "" {
		text = r.Worker + ": " + text
	}
	return text
}
