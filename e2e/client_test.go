package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
	close  bool
}

// client is one connection. It writes bytes as given and never tries anything twice.
type client struct {
	conn net.Conn
	in   *bufio.Reader
}

// exchangeTime bounds one exchange, loaded machines included.
const exchangeTime = 20 * time.Second

func connect(addr string) (*client, error) {
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	c, err := net.DialTimeout(network, addr, exchangeTime)
	if err != nil {
		return nil, err
	}
	return &client{conn: c, in: bufio.NewReader(c)}, nil
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	c, err := connect(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func (c *client) close() { c.conn.Close() }

// do writes a request and reads the final response to it.
func (c *client) do(request string) (*answer, error) {
	if err := c.conn.SetDeadline(time.Now().Add(exchangeTime)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(c.conn, request); err != nil {
		return nil, err
	}
	return c.read(method(request))
}

func method(request string) string {
	m, _, _ := strings.Cut(request, " ")
	return m
}

// read reads a response; interim ones are passed over.
func (c *client) read(method string) (*answer, error) {
	for {
		resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, fmt.Errorf("body after %d bytes: %w", len(body), err)
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return &answer{resp.StatusCode, resp.Header, body, resp.Close}, nil
		}
	}
}

// get makes a request of target and fields.
func get(target string, fields ...string) string {
	return send("GET", target, "", fields...)
}

// send makes a request with a body of known length.
func send(method, target, body string, fields ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, target)
	if !hasField(fields, "Host") {
		b.WriteString("Host: e2e.test\r\n")
	}
	for _, f := range fields {
		b.WriteString(f + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return b.String()
}

// chunked makes a request whose body goes in pieces.
func chunked(method, target string, pieces ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: e2e.test\r\nTransfer-Encoding: chunked\r\n\r\n", method, target)
	for _, p := range pieces {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(p), p)
	}
	b.WriteString("0\r\n\r\n")
	return b.String()
}

func hasField(fields []string, name string) bool {
	for _, f := range fields {
		if len(f) > len(name) && strings.EqualFold(f[:len(name)+1], name+":") {
			return true
		}
	}
	return false
}

// fetch makes one request on a connection of its own.
func fetch(addr, request string) (*answer, error) {
	c, err := connect(addr)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return c.do(request)
}

// mustGet is a GET that has to be answered with status.
func mustGet(t *testing.T, addr, target string, status int, fields ...string) *answer {
	t.Helper()
	a, err := fetch(addr, get(target, fields...))
	if err != nil {
		t.Fatalf("GET %s: %v", target, err)
	}
	if a.status != status {
		t.Fatalf("GET %s: status %d, want %d: %s", target, a.status, status, tail(string(a.body), 500))
	}
	return a
}

// body returns what a GET brings, or why not.
func bodyOf(addr, target string) (string, error) {
	a, err := fetch(addr, get(target))
	if err != nil {
		return "", err
	}
	if a.status != http.StatusOK {
		return "", fmt.Errorf("status %d", a.status)
	}
	return string(bytes.TrimSpace(a.body)), nil
}

// want says whether a GET brings a body.
func want(addr, target, body string) error {
	got, err := bodyOf(addr, target)
	if err == nil && got != body {
		err = fmt.Errorf("body %q, want %q", got, body)
	}
	return err
}
