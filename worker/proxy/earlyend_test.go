package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// The end of a request's body may come when the backend has answered and takes nothing any more. The answer is the client's all the
// same.
func TestAnAnswerStandsWhereTheEndOfTheBodyComesTooLate(t *testing.T) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, 100))
		w.Header().Set("Trailer", "X-Why")
		w.(http.Flusher).Flush()
		w.Header().Set("X-Why", "large")
	})
	up := httptest.NewUnstartedServer(refuse)
	defer up.Close()
	up.Config.Protocols = new(http.Protocols)
	up.Config.Protocols.SetUnencryptedHTTP2(true)
	up.Start()
	r := newRig(t, rigOptions{addrs: []string{up.Listener.Addr().String()}, server: speaks(t, "h2c"), upstream: reaches("h2c")})
	c, base := r.user("h2c")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if err := refused(c, base); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// refused sends a body in pieces and ends it at about the time of the answer.
func refused(c *http.Client, base string) error {
	body, feed := io.Pipe()
	go func() {
		defer feed.Close()
		for range 3 {
			if _, err := feed.Write(bytes.Repeat([]byte("x"), 100)); err != nil {
				return
			}
		}
	}()
	defer body.Close()
	resp, err := c.Post(base+"/", "", body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil {
		return err
	}
	if why := resp.Trailer.Get("X-Why"); why != "large" {
		return fmt.Errorf("trailer %q", why)
	}
	return nil
}
