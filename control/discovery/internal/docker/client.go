package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// answerTime bounds a list, and the beginning of the events.
	answerTime = 10 * time.Second
	maxList    = 64 << 20 // bytes
	maxEvent   = 256 << 10
	// maxContainers bounds what is kept of a list.
	maxContainers = 16384
)

// errLarge is for answers that are larger than any should be.
var errLarge = errors.New("the answer is too large")

// client speaks HTTP over the engine's socket.
type client struct {
	socket string
	http   *http.Client
}

func newClient(socket string) *client {
	return &client{socket: socket, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "unix", socket)
			},
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
			ResponseHeaderTimeout:  answerTime,
			MaxIdleConns:           2,
			IdleConnTimeout:        time.Minute,
		},
	}}
}

// get asks for a path without a version, which every engine takes for the newest that it has.
func (c *client) get(ctx context.Context, path string, filters map[string][]string) (*http.Response, error) {
	text, err := json.Marshal(filters)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker"+path+"?filters="+url.QueryEscape(string(text)), nil)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, fmt.Errorf("%s was answered with status %d", path, res.StatusCode)
	}
	return res, nil
}

// list returns the containers that run.
func (c *client) list(ctx context.Context) ([]Container, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	res, err := c.get(ctx, "/containers/json", map[string][]string{"status": {"running"}})
	if err != nil {
		return nil, c.failed(err)
	}
	defer res.Body.Close()
	all, err := readList(&bounded{r: res.Body, left: maxList})
	if err != nil {
		return nil, c.failed(err)
	}
	return all, nil
}

// readList reads an array, an element at a time: only what is wanted of each is ever held.
func readList(r io.Reader) ([]Container, error) {
	dec := json.NewDecoder(r)
	if open, err := dec.Token(); err != nil || open != json.Delim('[') {
		return nil, cmpErr(err, "the list of containers is no array")
	}
	all := []Container{}
	for dec.More() {
		var c Container
		if err := dec.Decode(&c); err != nil {
			return nil, err
		}
		if c.ID == "" {
			return nil, errors.New("the list of containers has one without an ID")
		}
		if len(all) == maxContainers {
			return nil, errLarge
		}
		if c.State == "" || c.State == "running" {
			all = append(all, c)
		}
	}
	_, err := dec.Token() // the end of the array: nothing was cut off
	return all, err
}

func cmpErr(err error, otherwise string) error {
	if err != nil {
		return err
	}
	return errors.New(otherwise)
}

// event is one message of GET /events.
type event struct {
	Type   string `json:"Type"`
	Action string `json:"Action"`
	Actor  struct {
		ID string `json:"ID"`
	} `json:"Actor"`
}

// events calls begun when the stream is there, and fn with each event, until something fails or ctx ends.
func (c *client) events(ctx context.Context, begun func(), fn func(event)) error {
	res, err := c.get(ctx, "/events", map[string][]string{
		"type": {"container", "network"},
		"event": {"start", "stop", "die", "kill", "pause", "unpause", "destroy", "health_status",
			"connect", "disconnect"}, // of networks
	})
	if err != nil {
		return c.failed(err)
	}
	defer res.Body.Close()
	begun()
	in := &bounded{r: res.Body, left: maxEvent}
	for dec := json.NewDecoder(in); ; in.left = maxEvent {
		var e event
		if err := dec.Decode(&e); err != nil {
			return c.failed(err)
		}
		fn(e)
	}
}

// failed says what went wrong in words that are the same each time.
func (c *client) failed(err error) error {
	var op *net.OpError
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var in *url.Error
	switch {
	case errors.As(err, &op):
		err = op.Err
	case errors.Is(err, context.DeadlineExceeded):
		err = errors.New("no answer")
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the answer ends too early")
	case errors.As(err, &syntax) || errors.As(err, &kind):
		err = errors.New("the answer cannot be read")
	case errors.As(err, &in):
		err = in.Err
	}
	return fmt.Errorf("docker engine at %s: %w", c.socket, err)
}

// bounded reads so much and no more.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLarge
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
