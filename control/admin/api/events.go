package api

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// eventTime is the longest that a client may take for one event. One that does not read is hung up on.
const eventTime = 10 * time.Second

// Events is an answer of server-sent events. It belongs to one goroutine.
type Events struct {
	w  http.ResponseWriter
	to *http.ResponseController
	b  bytes.Buffer
}

// StartEvents answers 200; events follow.
func StartEvents(w http.ResponseWriter) (*Events, error) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // proxies in front are not to gather events
	e := &Events{w: w, to: http.NewResponseController(w)}
	return e, e.Beat()
}

// Send sends an event. The data is one line, as JSON is.
func (e *Events) Send(event string, data []byte) error {
	e.b.Reset()
	fmt.Fprintf(&e.b, "event: %s\ndata: ", event)
	e.b.Write(data)
	e.b.WriteString("\n\n")
	return e.flush()
}

// Beat sends a comment, by which both sides see that the other is there.
func (e *Events) Beat() error {
	e.b.Reset()
	e.b.WriteString(":\n\n")
	return e.flush()
}

func (e *Events) flush() error {
	if err := e.to.SetWriteDeadline(time.Now().Add(eventTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("event: %w", err)
	}
	if _, err := e.w.Write(e.b.Bytes()); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	if err := e.to.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("event: %w", err)
	}
	return nil
}
