package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"pingap/message"
)

// goClient is net/http's client of HTTP/2 in the clear.
func goClient(t testing.TB) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

// serveReal answers as the path asks.
func serveReal(s *Stream, req *message.Request) {
	switch string(req.Path) {
	case "/echo":
		echo(s, req)
	case "/large":
		if s.WriteHead(&message.Response{Status: 200}, message.LengthUnknown, nil, false) != nil {
			return
		}
		chunk := make([]byte, 64<<10)
		for range 64 {
			if _, err := s.Write(chunk); err != nil {
				return
			}
		}
		_ = s.CloseWrite()
	case "/early":
		answer(s, 413, "no")
	default:
		answer(s, 200, "hello")
	}
}

// Many streams of net/http at once: small ones, echoes both ways at full speed, early answers and cancelled ones.
func TestNetHTTPAsTheClient(t *testing.T) {
	port := listener(t, Options{}, serveReal)
	client := goClient(t)
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	body := make([]byte, 3<<20)
	_, _ = rand.Read(body)
	var all sync.WaitGroup
	for i := range 24 {
		all.Go(func() {
			for j := range 8 {
				if err := exchange(client, url, (i+j)%5, body); err != nil {
					t.Errorf("kind %d: %v", (i+j)%5, err)
				}
			}
		})
	}
	all.Wait()
}

// exchange makes a request of one of five kinds.
func exchange(client *http.Client, url string, kind int, body []byte) error {
	switch kind {
	case 0:
		return expectBody(client.Get(url+"/"))(200, []byte("hello"))
	case 1:
		return expectBody(client.Post(url+"/echo", "x/y", bytes.NewReader(body)))(200, body)
	case 2:
		return expectBody(client.Get(url+"/large"))(200, make([]byte, 4<<20))
	case 3:
		return expectBody(client.Post(url+"/early", "x/y", bytes.NewReader(body)))(413, []byte("no"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", url+"/echo", io.MultiReader(bytes.NewReader(body), endless{}))
	if err != nil {
		return err
	}
	if resp, err := client.Do(req); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	return nil
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func expectBody(resp *http.Response, err error) func(status int, want []byte) error {
	return func(status int, want []byte) error {
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != status || !bytes.Equal(got, want) {
			return fmt.Errorf("%d with %d bytes (%v), want %d with %d", resp.StatusCode, len(got), err, status, len(want))
		}
		return nil
	}
}
