package web

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"pingap/ipc"
)

const maxRequests = 16 // at once, of what is mounted

// started runs a server until the test ends. The client shows token.
func started(t *testing.T, peer func(uint32) bool, mount map[string]http.Handler) (s *Server, get func(path, token string) (int, string)) {
	t.Helper()
	s = &Server{Log: zap.NewNop(), Peer: peer}
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	for path, h := range mount {
		s.Mount(path, maxRequests, h)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }() // ends with ctx
	t.Cleanup(func() { cancel(); <-ended })
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", s.name)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: 20 * time.Second}
	return s, func(path, token string) (int, string) {
		r, _ := http.NewRequest("GET", "http://control"+path, nil)
		r.Header.Set(ipc.WebField, token)
		resp, err := client.Do(r)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
}

func own(uid uint32) bool { return int(uid) == os.Getuid() }

func TestHandlersAreMountedByTheFrontOfTheirPath(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.URL.Path+" "+r.Header.Get(ipc.WebField))
	})
	s, get := started(t, own, map[string]http.Handler{"/metrics/": http.StripPrefix("/metrics/", echo)})
	token := hex.EncodeToString(s.token)
	if status, body := get("/metrics/my%20server", token); status != 200 || body != "my server " {
		t.Errorf("%d %q: the name is unescaped, and no handler sees the token", status, body)
	}
	if status, _ := get("/other", token); status != 404 {
		t.Errorf("elsewhere: %d", status)
	}
	item := s.Item()
	if item.Kind != ipc.StateWeb || string(item.Body[ipc.WebToken:]) != s.name || hex.EncodeToString(item.Body[:ipc.WebToken]) != token {
		t.Errorf("%+v", item)
	}
}

func TestOnlyWhoKnowsTheTokenIsAnswered(t *testing.T) {
	asked := false
	s, get := started(t, own, map[string]http.Handler{"/": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true })})
	token := hex.EncodeToString(s.token)
	for _, wrong := range []string{"", "00", token[2:], strings.Repeat("0", len(token)), token + "00", "zz"} {
		if status, _ := get("/", wrong); status != 403 {
			t.Errorf("token %q: %d", wrong, status)
		}
	}
	if asked {
		t.Error("a handler was asked")
	}
}

func TestProcessesOfOtherUsersAreRefused(t *testing.T) {
	seen := make(chan uint32, 8)
	s, get := started(t, func(uid uint32) bool { seen <- uid; return false }, nil)
	if status, _ := get("/", hex.EncodeToString(s.token)); status != 0 {
		t.Errorf("answered with %d", status)
	}
	if uid := <-seen; int(uid) != os.Getuid() {
		t.Errorf("judged by uid %d", uid)
	}
}

func TestRequestsBeyondTheLimitAreToldToComeAgain(t *testing.T) {
	hold, inside := make(chan struct{}), make(chan struct{}, maxRequests)
	s, get := started(t, own, map[string]http.Handler{"/": http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		inside <- struct{}{}
		<-hold
	})})
	token := hex.EncodeToString(s.token)
	done := make(chan int, maxRequests)
	for range maxRequests {
		go func() { status, _ := get("/", token); done <- status }()
	}
	for range maxRequests {
		<-inside
	}
	if status, _ := get("/", token); status != 503 {
		t.Errorf("one more: %d", status)
	}
	close(hold)
	for range maxRequests {
		if status := <-done; status != 200 {
			t.Errorf("one of those before: %d", status)
		}
	}
}
