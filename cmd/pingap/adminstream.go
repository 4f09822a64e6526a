package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Bounds of a stream of events.
const (
	maxEvent    = 8 << 20 // bytes
	streamQuiet = 20 * time.Second
	againPause  = 500 * time.Millisecond
)

// errStreamEnded is one that the other side has ended.
var errStreamEnded = errors.New("control has ended the stream")

// events reads events of the admin interface until ctx ends, got fails, or the stream does. path is below /api.
func (c *call) events(ctx context.Context, path string, got func(event string, data []byte) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(streamQuiet, func() { cancel(errNoAnswer) }) // control has hung up without a word, or hangs
	defer quiet.Stop()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dialAdmin(ctx) }}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/api"+path, nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return orCause(ctx, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, maxEvent))
		return refusedBy(response.StatusCode, text)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxEvent)
	event := ""
	for lines.Scan() {
		quiet.Reset(streamQuiet)
		if name, found := bytes.CutPrefix(lines.Bytes(), []byte("event: ")); found {
			event = string(name)
		}
		if data, found := bytes.CutPrefix(lines.Bytes(), []byte("data: ")); found {
			if err := got(event, data); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return orCause(ctx, fmt.Errorf("%w: %w", errStreamEnded, err))
	}
	return errStreamEnded
}

// orCause is why a context ended, if it did.
func orCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// eventsAgain reads events over the ends of streams: control may be replaced. Within the time-out of the call somebody has to answer, at the first try
// at once. told hears why there is nothing at the moment.
func (c *call) eventsAgain(ctx context.Context, path string, got func(event string, data []byte) error, told func(error)) error {
	var failed error // of got
	last, first := time.Now(), true
	for {
		err := c.events(ctx, path, func(event string, data []byte) error {
			last, first = time.Now(), false
			failed = got(event, data)
			return failed
		})
		if ctx.Err() != nil {
			return nil
		}
		if failed != nil || first && !errors.Is(err, errStreamEnded) || time.Since(last) > c.timeout {
			return err
		}
		first = false
		told(err)
		timer := time.NewTimer(againPause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}
