package acme

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// maxAnswer bounds what a CA may send at once. The longest is a chain, of some KiB.
	maxAnswer = 1 << 20
	// requestTime bounds one request to the CA.
	requestTime = 30 * time.Second
	// badNonceMark is set on an answer for retryWait to see. It never leaves this process.
	badNonceMark = "Pingap-Bad-Nonce"
)

// errOver ends requests of an attempt that is over; autocert makes some.
var errOver = errors.New("the attempt is over")

// meter is what the wire asks and tells while it passes requests on.
type meter struct {
	order    func() error        // before a new order
	finalize func() error        // before the CA is asked for the certificate
	failed   func(domain string) // a validation was refused
	now      func() time.Time
}

// wire carries the requests of one attempt to the CA. It is where the rules hold that are the same for autocert and for
// our own orders, because neither can go around it.
type wire struct {
	ctx       context.Context // of the attempt: autocert makes contexts of its own, which know nothing of ours
	base      http.RoundTripper
	challenge string // other kinds are hidden
	meter     meter

	mu         sync.Mutex // guards what follows
	over       bool
	newOrder   string          // URL
	finalize   map[string]bool // URLs
	reserved   bool            // an order was paid for
	paid       bool            // a certificate was paid for
	orders     int             // made
	fault      error           // of ours: nothing more is sent
	refused    map[string]string
	problems   []string // of the CA, in the order heard
	expired    bool     // the order or an authorization has run out
	noAccount  bool     // the CA does not know our account
	retryAfter time.Time
}

// client is an HTTP client over the wire.
func (w *wire) client() *http.Client { return &http.Client{Transport: w, Timeout: requestTime} }

// end lets nothing more through.
func (w *wire) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
}

// fail lets nothing more through either, and says why the attempt failed.
func (w *wire) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault == nil {
		w.fault = err
	}
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := w.admit(req); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel() // the answer is read whole before
	stop := context.AfterFunc(w.ctx, cancel)
	defer stop()

	resp, err := w.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	resp.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("answer of the CA: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("answer of the CA: more than %d bytes", maxAnswer)
	}
	body = w.hear(req, resp, body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return resp, nil
}

// admit asks the budget for what a request costs.
func (w *wire) admit(req *http.Request) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.over:
		return errOver
	case w.fault != nil:
		return w.fault
	case w.ctx.Err() != nil:
		return w.ctx.Err()
	case req.Method != http.MethodPost:
		return nil
	case req.URL.String() == w.newOrder:
		return w.admitOrderLocked()
	case w.finalize[req.URL.String()] && !w.paid:
		w.paid = true
		w.fault = w.meter.finalize()
		return w.fault
	}
	return nil
}

// admitOrderLocked lets one order through. A nonce that was refused sends the same order again, which is none more.
func (w *wire) admitOrderLocked() error {
	if w.orders > 0 {
		return errors.New("no second order in one attempt") // autocert goes on after a failure; verdict has the cause
	}
	if w.reserved {
		return nil
	}
	if err := w.meter.order(); err != nil {
		w.fault = err
		return err
	}
	w.reserved = true
	return nil
}

// document is any answer of a CA: directory, order, authorization or problem.
type document struct {
	NewOrder   string            `json:"newOrder"`
	Finalize   string            `json:"finalize"`
	Status     string            `json:"status"`
	Identifier identifier        `json:"identifier"`
	Challenges []json.RawMessage `json:"challenges"`
	Error      *problem          `json:"error"`
}

type identifier struct {
	Value string `json:"value"`
}

type problem struct {
	Type   string `json:"type"`
	Detail string `json:"detail"`
}

// is tells the kind of a problem; CAs write the beginning of the name in more than one way.
func (p problem) is(kind string) bool {
	return strings.HasSuffix(strings.ToLower(p.Type), ":"+strings.ToLower(kind))
}

func (p problem) String() string {
	kind := p.Type[strings.LastIndexByte(p.Type, ':')+1:]
	return strings.TrimPrefix(kind+": "+p.Detail, ": ")
}

// hear notes what an answer says, and returns the body to pass on.
func (w *wire) hear(req *http.Request, resp *http.Response, body []byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if resp.StatusCode >= 400 {
		w.hearProblemLocked(req, resp, body)
		return body
	}
	if req.URL.String() == w.newOrder && resp.StatusCode == http.StatusCreated {
		w.orders++
	}
	var d document
	if !strings.Contains(resp.Header.Get("Content-Type"), "json") || json.Unmarshal(body, &d) != nil {
		return body
	}
	switch {
	case d.NewOrder != "":
		w.newOrder = d.NewOrder
	case d.Finalize != "":
		w.hearOrderLocked(d)
	case d.Challenges != nil:
		return w.hearAuthorizationLocked(req.URL.String(), d, body)
	}
	return body
}

func (w *wire) hearOrderLocked(d document) {
	if w.finalize == nil {
		w.finalize = map[string]bool{}
	}
	w.finalize[d.Finalize] = true
	if d.Status == "invalid" && len(w.refused) == 0 {
		w.expired = d.Error == nil // an order that was refused says why
	}
	if d.Error != nil {
		w.noteLocked(d.Error.String())
	}
}

func (w *wire) noteLocked(text string) {
	text = clip(text)
	if !slices.Contains(w.problems, text) && len(w.problems) < maxDomains {
		w.problems = append(w.problems, text)
	}
}

// hearAuthorizationLocked notes a refusal once, and hides challenges that are not wanted: autocert would try those first.
func (w *wire) hearAuthorizationLocked(url string, d document, body []byte) []byte {
	switch d.Status {
	case "invalid":
		if _, known := w.refused[url]; !known {
			if w.refused == nil {
				w.refused = map[string]string{}
			}
			w.refused[url] = d.Identifier.Value
			w.noteLocked(d.Identifier.Value + ": " + refusal(d.Challenges))
			w.meter.failed(d.Identifier.Value)
		}
	case "expired", "deactivated", "revoked":
		w.expired = true
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(body, &all) != nil {
		return body
	}
	kept := slices.DeleteFunc(slices.Clone(d.Challenges), func(raw json.RawMessage) bool {
		var c struct{ Type string }
		return json.Unmarshal(raw, &c) != nil || c.Type != w.challenge
	})
	if d.Status != "pending" {
		return body
	}
	all["challenges"], _ = json.Marshal(kept) // of valid JSON
	out, err := json.Marshal(all)
	if err != nil {
		return body
	}
	return out
}

// refusal is what the challenges of a refused authorization say.
func refusal(challenges []json.RawMessage) string {
	for _, raw := range challenges {
		var c struct {
			Type  string
			Error *problem
		}
		if json.Unmarshal(raw, &c) == nil && c.Error != nil {
			return c.Type + " refused: " + c.Error.String()
		}
	}
	return "refused"
}

func (w *wire) hearProblemLocked(req *http.Request, resp *http.Response, body []byte) {
	var p problem
	if json.Unmarshal(body, &p) != nil {
		p = problem{Detail: resp.Status}
	}
	if p.is("badNonce") {
		resp.Header.Set(badNonceMark, "1")
		return
	}
	w.noteLocked(p.String())
	if resp.StatusCode == http.StatusNotFound && req.Method == http.MethodPost && w.orders > 0 {
		w.expired = true // what belonged to the order is gone
	}
	w.noAccount = w.noAccount || p.is("accountDoesNotExist") || p.is("externalAccountRequired")
	limited := p.is("rateLimited") || resp.StatusCode == http.StatusTooManyRequests
	if !limited && resp.StatusCode != http.StatusServiceUnavailable {
		return
	}
	wait := retryAfter(resp.Header.Get("Retry-After"), w.meter.now())
	if wait <= 0 && limited {
		wait = time.Hour // it does not say; the shortest window of Let's Encrypt
	}
	if until := w.meter.now().Add(wait); until.After(w.retryAfter) {
		w.retryAfter = until
	}
}

// retryAfter reads a Retry-After: seconds or a date. It is a week at most.
func retryAfter(text string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(text); err == nil {
		wait = time.Duration(min(seconds, 7*24*3600)) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(0, wait), 7*day)
}

// Bounds of repeating one request.
const (
	maxRetries   = 5
	maxNonces    = 50 // pebble can be told to refuse nine of ten
	longestRetry = 20 * time.Second
)

// retryWait is acme.Client.RetryBackoff: how long until a request is sent again, and 0 if it is not.
func (w *wire) retryWait(n int, _ *http.Request, resp *http.Response) time.Duration {
	if resp.Header.Get(badNonceMark) != "" {
		if n > maxNonces {
			return 0
		}
		return time.Duration(min(n, 10)) * 20 * time.Millisecond
	}
	if n > maxRetries || resp.StatusCode == http.StatusTooManyRequests {
		return 0 // the back-off of the certificate knows Retry-After
	}
	wait := retryAfter(resp.Header.Get("Retry-After"), w.meter.now())
	if wait > longestRetry {
		return 0
	}
	return max(wait, time.Second<<min(n-1, 4))
}

// verdict is why the attempt failed, given what came out of it. What the CA said goes first: autocert forgets it.
func (w *wire) verdict(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.fault != nil:
		return w.fault
	case len(w.problems) > 0:
		return errors.New(strings.Join(w.problems, "; "))
	}
	return err
}
