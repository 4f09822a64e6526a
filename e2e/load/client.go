package load

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
)

// client is one client. It has at most one connection and one request at a time.
type client struct {
	load     *Load
	mix      Mix
	number   int
	n        uint64 // number of the request that is next or runs
	conn     *connection
	way      time.Duration          // that the request has travelled
	sessions tls.ClientSessionCache // of TLS
	link     *link                  // the connection that it shares, of Streams and Calls
}

// run goes on until the load is stopped.
func (c *client) run() {
	defer c.drop()
	step := c.exchange
	switch c.mix.Kind {
	case Upload:
		step = c.upload
	case WebSocket, SecureWebSocket:
		step = c.tunnel
	case Events:
		step = c.stream
	case Loris:
		step = c.dribble
	case Streams:
		step = c.share
	case Calls:
		step = c.call
	}
	for !c.load.ending() {
		step()
		c.n++
		c.load.rest(c.mix.Pause)
	}
}

func (c *client) drop() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// limit is for one exchange.
func (c *client) limit() time.Duration { return c.patience() + c.mix.Takes }

func (c *client) patience() time.Duration {
	if c.mix.Limit > 0 {
		return c.mix.Limit
	}
	return answerLimit
}

// key names the request that runs.
func (c *client) key() string { return fmt.Sprintf("%d.%d", c.number, c.n) }

// ready sees to a connection: a new one where there is none, or where the proxy has closed the old one.
func (c *client) ready() error {
	c.way = 0
	if c.conn != nil {
		closed, err := c.conn.closed()
		if err != nil {
			return err
		}
		if closed {
			c.load.reopened(c.mix.Kind)
			c.drop()
		}
	}
	if c.conn != nil {
		left := time.Now()
		time.Sleep(c.mix.Distance)
		c.way = time.Since(left)
		return nil
	}
	var err error
	if c.conn, err = open(c.load.addr, c.limit()); err != nil || !c.mix.Kind.secure() {
		return err
	}
	resumed, err := c.conn.secure(c.sessions, c.limit())
	if err != nil {
		c.drop()
		return err
	}
	c.load.shook(c.mix.Kind, resumed)
	return nil
}

// exchange is one request of a client whose requests are written at once.
func (c *client) exchange() {
	r := c.load.begin(c, true)
	request, want := c.text()
	err := c.ready()
	var a *answer
	if err == nil {
		var body string
		a, body, err = c.conn.ask(request, c.limit())
		if err == nil {
			err = judge(a, body, want)
		}
	}
	c.load.end(r, time.Since(r.began)-c.takes()-c.way, err)
	c.after(a, err)
}

// after decides about the connection.
func (c *client) after(a *answer, err error) {
	if err != nil {
		c.drop()
		c.load.rest(failurePause)
		return
	}
	if a.close || c.mix.Kind.fresh() {
		c.drop()
	}
}

func (c *client) takes() time.Duration {
	if c.mix.Kind == Slow {
		return c.mix.Takes
	}
	return 0
}

// text makes the request that is next and the body of its answer: GET and POST in turns.
func (c *client) text() (request, want string) {
	target := "/echo"
	if c.mix.Kind == Slow {
		target = fmt.Sprintf("/slow/%d", c.mix.Takes.Milliseconds())
	}
	fields := ""
	if c.mix.Kind.fresh() {
		fields = "Connection: close\r\n"
	}
	if c.n%2 == 0 {
		return c.head("GET", target, fields), expected(c.key(), "")
	}
	body := strings.Repeat(c.key()+" ", 8)
	return c.head("POST", target, fmt.Sprintf("%sContent-Length: %d\r\n", fields, len(body))) + body, expected(c.key(), body)
}

// head is a request's head; fields end in CRLF each.
func (c *client) head(method, target, fields string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: load.test\r\n%s: %s\r\n%s\r\n", method, target, keyField, c.key(), fields)
}

// expected is what the Upstream answers.
func expected(key, body string) string {
	sum := sha256.Sum256([]byte(body))
	return key + " " + hex.EncodeToString(sum[:]) + "\n"
}

// judge compares an answer with what is wanted.
func judge(a *answer, body, want string) error {
	switch {
	case a.status != 200:
		return fail(BadStatus, fmt.Errorf("status %d: %.100q", a.status, body))
	case body != want:
		return fail(WrongBody, fmt.Errorf("%.100q instead of %q", body, want))
	}
	return nil
}

const uploadPiece = 100 * time.Millisecond // between two pieces of a body

// upload is one request whose body takes its time.
func (c *client) upload() {
	r := c.load.begin(c, true)
	a, slept, err := c.sendSlowly()
	c.load.end(r, time.Since(r.began)-slept-c.way, err)
	c.after(a, err)
}

// sendSlowly says how long it slept as well: sleeps are longer than they should be, which is not the proxy's doing.
func (c *client) sendSlowly() (a *answer, slept time.Duration, err error) {
	if err := c.ready(); err != nil {
		return nil, 0, err
	}
	pieces := max(1, int(c.mix.Takes/uploadPiece))
	piece := strings.Repeat(fmt.Sprintf("%-16s", c.key()), 256)
	whole := strings.Repeat(piece, pieces)
	chunked := c.n%2 == 1
	fields := fmt.Sprintf("Content-Length: %d\r\n", len(whole))
	if chunked {
		fields = "Transfer-Encoding: chunked\r\n"
	}
	if err := c.conn.SetDeadline(time.Now().Add(c.limit())); err != nil {
		return nil, 0, fail(Cut, err)
	}
	target := "/echo"
	if c.n%4 >= 2 {
		target = "/read/1" // by an upstream that is slow to take it
	}
	_, err = io.WriteString(c.conn, c.head("POST", target, fields))
	for i := 0; i < pieces && err == nil; i++ {
		// Stop does not shorten a body: what was begun is ended.
		before := time.Now()
		time.Sleep(c.mix.Takes / time.Duration(pieces))
		slept += time.Since(before)
		text := piece
		if chunked {
			text = fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
		}
		_, err = io.WriteString(c.conn, text)
	}
	if chunked && err == nil {
		_, err = io.WriteString(c.conn, "0\r\n\r\n")
	}
	var body string
	if err != nil {
		a, body, err = c.conn.refusal(err)
	} else {
		a, body, err = c.conn.read()
	}
	if err == nil {
		err = judge(a, body, expected(c.key(), whole))
	}
	return a, slept, err
}
