package load

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// tunnel opens a WebSocket and sends messages until the load stops or the tunnel ends. Opening is one request, and each message
// is another one.
func (c *client) tunnel() {
	r := c.load.begin(c, true)
	err := c.upgrade()
	c.load.end(r, time.Since(r.began), err)
	alive := time.Now()
	defer c.drop()
	for n := 0; err == nil && c.load.rest(c.mix.Pause); n++ {
		if c.endedPolitely() {
			c.load.reopened(c.mix.Kind)
			return
		}
		m := c.load.begin(c, false)
		written := m.began
		m.began = alive // of a tunnel that ended meanwhile it is not known when
		err = c.echo(fmt.Sprintf("%s message %d", c.key(), n))
		c.load.end(m, time.Since(written), err)
		alive = time.Now()
	}
	if err != nil {
		c.load.rest(failurePause)
	} else {
		_ = writeFrame(c.conn, frame{opClose, []byte{3, 232}}, true) // a goodbye: nobody waits for what comes of it
	}
}

func (c *client) upgrade() error {
	c.drop()
	if err := c.ready(); err != nil {
		return err
	}
	nonce := base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf("%-16.16s", c.key())))
	a, body, err := c.conn.ask(c.head("GET", "/tunnel", "Connection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+nonce+"\r\n"), c.limit())
	switch {
	case err != nil:
		return err
	case a.status != 101:
		return fail(BadStatus, fmt.Errorf("status %d: %.100q", a.status, body))
	case a.fields["sec-websocket-accept"] != acceptOf(nonce):
		return fail(WrongBody, fmt.Errorf("accept %q", a.fields["sec-websocket-accept"]))
	}
	return nil
}

// endedPolitely says whether the peer has said goodbye between two messages: a close frame and nothing else.
func (c *client) endedPolitely() bool {
	closed, err := c.conn.closed()
	if closed || err == nil {
		return false // an end without a goodbye is found by the next message
	}
	f, err := readFrame(c.conn.in)
	return err == nil && f.op == opClose
}

// echo sends a message and waits for it to come back.
func (c *client) echo(text string) error {
	if err := c.conn.SetDeadline(time.Now().Add(c.limit())); err != nil {
		return fail(Cut, err)
	}
	if err := writeFrame(c.conn, frame{opText, []byte(text)}, true); err != nil {
		return fail(Cut, err)
	}
	f, err := readFrame(c.conn.in)
	switch {
	case err != nil:
		return fail(Cut, fmt.Errorf("tunnel: %w", err))
	case f.op == opClose:
		return fail(Cut, errors.New("closed instead of an echo"))
	case f.op != opText || string(f.payload) != text:
		return fail(WrongBody, fmt.Errorf("opcode %d, %.100q instead of %q", f.op, f.payload, text))
	}
	return nil
}

const eventPause = 100 * time.Millisecond // between two events of a stream

// stream reads an event stream to its end, which comes after Mix.Takes or with Stop. An end after a whole event that comes too
// early is what a client of event streams bears: it counts as reopened.
func (c *client) stream() {
	r := c.load.begin(c, true)
	total := max(1, int(c.mix.Takes/eventPause))
	seen, longest, err := c.events(total)
	if err == nil && seen < total && !c.load.ending() {
		c.load.reopened(Events)
	}
	c.load.end(r, longest-eventPause, err)
	c.drop()
	if err != nil {
		c.load.rest(failurePause)
	}
}

// events opens a stream and reads up to total events; fewer without an error is an end between two of them. The longest pause
// is the one between two events, or before the first one.
func (c *client) events(total int) (seen int, longest time.Duration, err error) {
	c.drop()
	if err := c.ready(); err != nil {
		return 0, 0, err
	}
	if err := c.conn.SetDeadline(time.Now().Add(c.limit())); err != nil {
		return 0, 0, fail(Cut, err)
	}
	target := fmt.Sprintf("/events/%d/%d", total, eventPause.Milliseconds())
	if _, err := io.WriteString(c.conn, c.head("GET", target, "Accept: text/event-stream\r\n")); err != nil {
		return 0, 0, fail(Reset, err)
	}
	a, err := readHead(c.conn.in)
	if err != nil {
		return 0, 0, err
	}
	if a.status != 200 || !a.chunked {
		return 0, 0, fail(BadStatus, fmt.Errorf("status %d, chunked %v", a.status, a.chunked))
	}
	return c.readEvents(total)
}

func (c *client) readEvents(total int) (seen int, longest time.Duration, err error) {
	var text string
	last := time.Now()
	for {
		piece, err := readChunk(c.conn.in)
		switch {
		case err != nil:
			return seen, longest, fail(Cut, fmt.Errorf("after event %d: %w", seen, err))
		case piece == nil && text != "":
			return seen, longest, fail(Cut, fmt.Errorf("the stream ended within %.100q", text))
		case piece == nil:
			return seen, longest, nil
		}
		longest, last = max(longest, time.Since(last)), time.Now()
		text += string(piece)
		for {
			event, rest, whole := strings.Cut(text, "\n\n")
			if !whole {
				break
			}
			if want := eventText(c.key(), seen); event != want || seen == total {
				return seen, longest, fail(WrongBody, fmt.Errorf("event %.100q instead of %q", event, want))
			}
			seen, text = seen+1, rest
		}
		if c.load.ending() && text == "" {
			return seen, longest, nil
		}
	}
}

// eventText is the event with a number, without its closing blank line.
func eventText(key string, n int) string { return fmt.Sprintf("id: %d\ndata: %s", n, key) }

// dribble is one connection whose head never ends. The proxy does with it what it likes.
func (c *client) dribble() {
	c.drop()
	if err := c.ready(); err != nil {
		c.load.rest(failurePause)
		return
	}
	c.load.madeNoise()
	text := c.head("GET", "/noise", "X-Filler: "+strings.Repeat("a", 4096)+"\r\n")
	for i := range len(text) - 4 {
		if closed, err := c.conn.closed(); closed || err != nil || !c.load.rest(c.mix.Pause) {
			return
		}
		if err := c.conn.SetDeadline(time.Now().Add(answerLimit)); err != nil {
			return
		}
		if _, err := io.WriteString(c.conn, text[i:i+1]); err != nil {
			return
		}
	}
}
