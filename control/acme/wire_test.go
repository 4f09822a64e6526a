package acme

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// answers is a CA that says what it is told to.
type answers func(req *http.Request) *http.Response

func (a answers) RoundTrip(req *http.Request) (*http.Response, error) { return a(req), nil }

func respond(status int, kind, body string, header ...string) *http.Response {
	rec := httptest.NewRecorder()
	rec.Header().Set("Content-Type", kind)
	for i := 0; i+1 < len(header); i += 2 {
		rec.Header().Set(header[i], header[i+1])
	}
	rec.WriteHeader(status)
	_, _ = rec.WriteString(body) // a buffer
	return rec.Result()
}

const (
	plainJSON = "application/json"
	probJSON  = "application/problem+json"
	newOrder  = "https://ca.example/new-order"
)

func testWire(t testing.TB, ca answers) *wire {
	t.Helper()
	return &wire{ctx: context.Background(), base: ca, challenge: HTTP01, meter: meter{
		order: func() error { return nil }, finalize: func() error { return nil }, failed: func(string) {}, now: time.Now,
	}}
}

// post sends a request and returns what came back.
func post(w *wire, url string) (string, error) {
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		return "", err
	}
	resp, err := w.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestOnlyOneOrderAndOnePaymentGoThrough(t *testing.T) {
	paid, made := 0, 0
	w := testWire(t, func(req *http.Request) *http.Response {
		switch {
		case req.URL.String() != newOrder:
			return respond(200, plainJSON, `{"newOrder":"`+newOrder+`"}`)
		case made == 0:
			made++
			return respond(400, probJSON, `{"type":"urn:ietf:params:acme:error:badNonce"}`)
		}
		made++
		return respond(201, plainJSON, `{"status":"pending","finalize":"https://ca.example/f"}`)
	})
	w.meter.order = func() error { paid++; return nil }
	if _, err := post(w, "https://ca.example/dir"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first with a nonce that is refused
		if _, err := post(w, newOrder); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := post(w, newOrder); err == nil {
		t.Error("a second order went through")
	}
	if paid != 1 || made != 2 {
		t.Errorf("paid %d, sent %d", paid, made)
	}
}

func TestNothingIsSentThatTheBudgetRefuses(t *testing.T) {
	full := errors.New("full")
	sent := 0
	w := testWire(t, func(req *http.Request) *http.Response {
		sent++
		return respond(200, plainJSON, `{"newOrder":"`+newOrder+`","finalize":"https://ca.example/f"}`)
	})
	w.newOrder, w.finalize = newOrder, map[string]bool{"https://ca.example/f": true}
	w.meter.finalize = func() error { return full }
	if _, err := post(w, "https://ca.example/f"); !errors.Is(err, full) || !errors.Is(w.verdict(io.EOF), full) {
		t.Errorf("finalize: %v", err)
	}
	w.fault = nil
	w.meter.order = func() error { return full }
	if _, err := post(w, newOrder); !errors.Is(err, full) {
		t.Errorf("order: %v", err)
	}
	if _, err := post(w, "https://ca.example/other"); !errors.Is(err, full) || !errors.Is(w.verdict(io.EOF), full) {
		t.Errorf("after it: %v", err)
	}
	if sent != 0 {
		t.Errorf("%d requests were sent", sent)
	}
}

func TestChallengesOfOtherKindsAreHidden(t *testing.T) {
	body := `{"status":"pending","identifier":{"type":"dns","value":"a.example"},"challenges":[{"type":"tls-alpn-01","token":"a"},{"type":"http-01","token":"b"},{"type":"dns-01","token":"c"}]}`
	w := testWire(t, func(*http.Request) *http.Response { return respond(200, plainJSON, body) })
	got, err := post(w, "https://ca.example/authz/1")
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal([]byte(got), &d); err != nil || len(d.Challenges) != 1 || !strings.Contains(string(d.Challenges[0]), HTTP01) || d.Identifier.Value != "a.example" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestARefusalIsCountedOnceAndKept(t *testing.T) {
	body := `{"status":"invalid","identifier":{"type":"dns","value":"a.example"},"challenges":[{"type":"http-01","status":"invalid","error":{"type":"urn:ietf:params:acme:error:connection","detail":"no route\nto host"}}]}`
	w := testWire(t, func(*http.Request) *http.Response { return respond(200, plainJSON, body) })
	var failed []string
	w.meter.failed = func(domain string) { failed = append(failed, domain) }
	for range 3 {
		if _, err := post(w, "https://ca.example/authz/1"); err != nil {
			t.Fatal(err)
		}
	}
	if len(failed) != 1 || failed[0] != "a.example" {
		t.Errorf("counted %q", failed)
	}
	if got := w.verdict(io.EOF).Error(); got != "a.example: http-01 refused: connection: no route to host" {
		t.Errorf("verdict %q", got)
	}
}

func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	w := testWire(t, func(*http.Request) *http.Response {
		return respond(200, plainJSON, strings.Repeat("x", maxAnswer+1))
	})
	if _, err := post(w, "https://ca.example/dir"); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
}

func TestAnAttemptThatIsOverSendsNothing(t *testing.T) {
	w := testWire(t, func(*http.Request) *http.Response { t.Error("sent"); return respond(200, plainJSON, "{}") })
	w.end()
	if _, err := post(w, "https://ca.example/dir"); !errors.Is(err, errOver) {
		t.Error(err)
	}
	w = testWire(t, func(*http.Request) *http.Response { t.Error("sent"); return respond(200, plainJSON, "{}") })
	ctx, cancel := context.WithCancel(context.Background())
	w.ctx = ctx
	cancel()
	if _, err := post(w, "https://ca.example/dir"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		status      int
		kind, after string
		least, most time.Duration
	}{
		{429, "rateLimited", "7200", 2 * time.Hour, 2 * time.Hour},
		{429, "rateLimited", now.Add(3 * time.Hour).UTC().Format(http.TimeFormat), 3*time.Hour - time.Minute, 3 * time.Hour},
		{429, "rateLimited", "", time.Hour, time.Hour},
		{403, "rateLimited", "", time.Hour, time.Hour},
		{429, "rateLimited", "99999999999999999999", time.Hour, time.Hour},
		{429, "rateLimited", "999999999999", 7 * day, 7 * day},
		{503, "serverInternal", "600", 10 * time.Minute, 10 * time.Minute},
		{500, "serverInternal", "600", 0, 0},
		{403, "unauthorized", "600", 0, 0},
	} {
		w := testWire(t, func(*http.Request) *http.Response {
			return respond(c.status, probJSON, `{"type":"urn:ietf:params:acme:error:`+c.kind+`","detail":"d"}`, "Retry-After", c.after)
		})
		w.meter.now = func() time.Time { return now }
		if _, err := post(w, newOrder); err != nil {
			t.Fatal(err)
		}
		got := time.Duration(0)
		if !w.retryAfter.IsZero() {
			got = w.retryAfter.Sub(now)
		}
		if got < c.least || got > c.most {
			t.Errorf("%d %s Retry-After %q: %v, want %v", c.status, c.kind, c.after, got, c.least)
		}
	}
}

func TestRequestsAreRepeatedWithinBounds(t *testing.T) {
	w := testWire(t, nil)
	for _, c := range []struct {
		n           int
		resp        *http.Response
		least, most time.Duration
	}{
		{1, respond(400, probJSON, "", badNonceMark, "1"), time.Millisecond, time.Second},
		{maxNonces, respond(400, probJSON, "", badNonceMark, "1"), time.Millisecond, time.Second},
		{maxNonces + 1, respond(400, probJSON, "", badNonceMark, "1"), 0, 0},
		{1, respond(500, probJSON, ""), time.Second, time.Second},
		{3, respond(500, probJSON, ""), 4 * time.Second, 4 * time.Second},
		{1, respond(503, probJSON, "", "Retry-After", "7"), 7 * time.Second, 7 * time.Second},
		{1, respond(503, probJSON, "", "Retry-After", "700"), 0, 0},
		{maxRetries + 1, respond(500, probJSON, ""), 0, 0},
		{1, respond(429, probJSON, "", "Retry-After", "1"), 0, 0},
	} {
		if got := w.retryWait(c.n, nil, c.resp); got < c.least || got > c.most {
			t.Errorf("try %d after %d: %v, want %v", c.n, c.resp.StatusCode, got, c.least)
		}
	}
}

func FuzzHear(f *testing.F) {
	for _, s := range []string{
		`{"newOrder":"https://ca.example/new-order","newNonce":"n"}`,
		`{"status":"pending","finalize":"https://ca.example/f","authorizations":["a"]}`,
		`{"status":"invalid","finalize":"https://ca.example/f","error":{"type":"t","detail":"d"}}`,
		`{"status":"pending","identifier":{"value":"a"},"challenges":[{"type":"http-01"},{"type":"dns-01"},7,null]}`,
		`{"status":"invalid","identifier":{"value":"a"},"challenges":[{"type":"http-01","error":{"type":"t:u","detail":"d"}}]}`,
		`{"type":"urn:ietf:params:acme:error:badNonce"}`, `[]`, `null`, `{`, ``,
	} {
		for _, status := range []int{200, 201, 400, 404, 429} {
			f.Add(status, plainJSON, "5", s)
		}
	}
	f.Fuzz(func(t *testing.T, status int, kind, after, body string) {
		if status < 200 || status > 599 {
			return
		}
		w := testWire(t, func(*http.Request) *http.Response { return respond(status, kind, body, "Retry-After", after) })
		w.newOrder = newOrder
		for _, url := range []string{newOrder, "https://ca.example/x"} {
			got, err := post(w, url)
			if err != nil {
				if len(body) <= maxAnswer {
					t.Fatal(err)
				}
				continue
			}
			if json.Valid([]byte(body)) && !json.Valid([]byte(got)) {
				t.Errorf("%q became %q", body, got)
			}
		}
		for _, p := range w.problems {
			if len(p) > maxError+10 || strings.ContainsAny(p, "\r\n\x00") {
				t.Errorf("kept %q", p)
			}
		}
		if w.retryAfter.After(time.Now().Add(8 * day)) {
			t.Errorf("waits until %v", w.retryAfter)
		}
	})
}
