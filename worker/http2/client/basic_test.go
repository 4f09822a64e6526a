package client

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"pingap/message"
)

// both runs a test over cleartext and over TLS.
func both(t *testing.T, f func(t *testing.T, secure bool)) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "cleartext", true: "TLS"}[secure], func(t *testing.T) { f(t, secure) })
	}
}

func TestAGetIsAnswered(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		checkLeaks(t)
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Seen", r.Method+" "+r.Host+" "+r.URL.String()+" "+r.Header.Get("X-Test"))
			fmt.Fprint(w, "hello")
		}, secure, Options{})
		for range 3 {
			req := request("GET", "/a?b=c", "X-Test", "yes", "Connection", "keep-alive")
			s := open(t, c, req, OpenOptions{End: true, ContentLength: message.LengthUnknown})
			resp, body := complete(t, s)
			if resp.Status != 200 || body != "hello" || resp.BodyLength != 5 {
				t.Fatalf("got %d %q, length %d", resp.Status, body, resp.BodyLength)
			}
			if seen, _ := resp.Fields.Lookup("X-Seen"); string(seen) != "GET example.com /a?b=c yes" {
				t.Fatalf("the server saw %q", seen)
			}
		}
		if n := c.Streams(); n != 0 {
			t.Errorf("%d streams are open", n)
		}
	})
}

func TestABodyAtHandIsSentByItself(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		checkLeaks(t)
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%d %v %d", len(body), err, r.ContentLength)
		}, secure, Options{})
		for _, size := range []int{0, 1, 100, 65535, 65536, 1 << 20, 5 << 20} {
			s := open(t, c, request("POST", "/"), OpenOptions{Body: make([]byte, size), ContentLength: int64(size), End: size == 0})
			_, body := complete(t, s)
			if want := fmt.Sprintf("%d <nil> %d", size, size); body != want {
				t.Errorf("body of %d: server saw %q", size, body)
			}
		}
	})
}

func TestABodyStreamsBothWays(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		checkLeaks(t)
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			n, _ := io.Copy(w, r.Body)
			w.Header().Set("X-Sum", fmt.Sprint(n, r.Trailer.Get("X-Mine")))
		}, secure, Options{})
		s := open(t, c, request("POST", "/", "Trailer", "X-Mine"), OpenOptions{ContentLength: message.LengthUnknown})
		finalHead(t, s)
		want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		go func() {
			for p := want; len(p) > 0; {
				n := min(len(p), 30000)
				if _, err := s.Write(p[:n]); err != nil {
					t.Errorf("write: %v", err)
				}
				p = p[n:]
			}
			var fields message.Fields
			fields.Add("X-Mine", []byte("!"))
			if err := s.WriteTrailers(&fields); err != nil {
				t.Errorf("trailers: %v", err)
			}
		}()
		got, err := io.ReadAll(s)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("got %d bytes and %v, want %d", len(got), err, len(want))
		}
		if sum, _ := s.Trailers().Lookup("X-Sum"); string(sum) != fmt.Sprint(len(want), "!") {
			t.Errorf("trailer is %q", sum)
		}
		s.Release()
	})
}

func TestManyStreamsShareAConnection(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		checkLeaks(t)
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, strings.Repeat(r.URL.Path, 1000)+fmt.Sprint(n))
		}, secure, Options{})
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for j := range 20 {
					path := fmt.Sprintf("/%d/%d", i, j)
					size := i * j * 10
					s := open(t, c, request("POST", path), OpenOptions{Body: make([]byte, size), ContentLength: int64(size), End: size == 0})
					if _, body := complete(t, s); body != strings.Repeat(path, 1000)+fmt.Sprint(size) {
						t.Errorf("%s: wrong body of %d", path, len(body))
					}
				}
			}()
		}
		wg.Wait()
	})
}
