package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"pingap/message"
)

// fickle answers with the request's own number all over, and sometimes does what servers do to clients.
func fickle(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Path[1:])
	switch n % 7 {
	case 0:
		_, _ = io.Copy(io.Discard, r.Body)
	case 1:
		w.WriteHeader(http.StatusEarlyHints)
	case 2: // the body is left where it is
	case 3:
		if n%2 == 0 {
			panic(http.ErrAbortHandler)
		}
	case 4:
		time.Sleep(time.Duration(n%5) * time.Millisecond)
	}
	w.Header().Set("X-Number", r.URL.Path)
	line := []byte(r.URL.Path + "\n")
	for range n % 3000 {
		if _, err := w.Write(line); err != nil {
			return
		}
	}
}

// one does request n, or a part of it, and says what was wrong. Errors are allowed where the server or we have made them.
func one(c *Conn, n int) error {
	path := "/" + strconv.Itoa(n)
	body := make([]byte, rand.IntN(3)*rand.IntN(200000))
	s, err := c.Open(request("POST", path), new(message.Fields), OpenOptions{Body: body, End: len(body) == 0, ContentLength: int64(len(body))})
	if errors.Is(err, ErrFull) {
		return nil
	}
	if err != nil {
		return err
	}
	defer s.Release()
	if rand.IntN(10) == 0 {
		return nil // the client has left
	}
	_ = s.SetReadDeadline(time.Now().Add(time.Duration(1+rand.IntN(100)*rand.IntN(100)) * time.Millisecond))
	resp := new(message.Response)
	var mem []byte
	for final := false; !final; {
		if mem, final, err = s.Head(resp, mem); err != nil {
			return allowed(err, n)
		}
	}
	if got, _ := resp.Fields.Lookup("X-Number"); string(got) != path {
		return fmt.Errorf("request %s got the head of %s", path, got)
	}
	line := []byte(path + "\n")
	all, err := io.ReadAll(io.LimitReader(s, int64(1+rand.IntN(40000))))
	if want := bytes.Repeat(line, len(all)/len(line)+1); !bytes.HasPrefix(want, all) {
		return fmt.Errorf("request %s got the body of another", path)
	}
	return allowed(err, n)
}

func allowed(err error, n int) error {
	var e *Error
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &e) && e.Cause == Reset {
		return nil
	}
	return fmt.Errorf("request %d: %w", n, err)
}

// Streams that end in every way at once never see each other's bytes, and leave nothing behind.
func TestStreamsThatEndInEveryWayStayApart(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		checkLeaks(t)
		c := serve(t, fickle, secure, Options{})
		var wg sync.WaitGroup
		for g := range 30 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := range 60 {
					if err := one(c, g*1000+i); err != nil {
						t.Error(err)
						return
					}
				}
			}()
		}
		wg.Wait()
		if err := c.Err(); err != nil {
			t.Fatalf("the connection ended: %v", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.streams.Len() != 0 || c.unread != 0 || c.queue.first != nil {
			t.Errorf("%d streams, %d bytes unread", c.streams.Len(), c.unread)
		}
	})
}

// A connection that is closed in the middle fails every stream, and nobody hangs.
func TestClosingFailsEveryStream(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		checkLeaks(t)
		for range 10 {
			c := serve(t, fickle, secure, Options{})
			var wg sync.WaitGroup
			for g := range 10 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for i := range 1000 {
						if one(c, g*1000+i) != nil {
							return
						}
					}
				}()
			}
			time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
			c.Close()
			wg.Wait()
			c.Wait()
		}
	})
}
