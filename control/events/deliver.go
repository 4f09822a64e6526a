package events

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

const (
	maxAnswer    = 4 << 10 // bytes read of an answer
	maxRedirects = 3
	paceSteps    = 60 // the longest wait, in first ones
)

// client makes requests without a time-out of its own. It follows a redirect only where the request stays the same and goes to the same place:
// what is signed and told is for nobody else.
func client(t http.RoundTripper) *http.Client {
	if t == nil {
		t = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    10 * time.Second,
			IdleConnTimeout:        time.Minute,
			MaxIdleConnsPerHost:    2,
			MaxResponseHeaderBytes: 64 << 10,
		}
	}
	return &http.Client{Transport: t, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		first := via[0]
		if len(via) > maxRedirects || next.Method != first.Method || next.URL.Scheme != first.URL.Scheme || next.URL.Host != first.URL.Host {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

// deliver tries to send an event, as often as the settings of the moment allow.
func (b *Bus) deliver(ctx context.Context, i *item) {
	began := time.Now()
	for tried := 1; ; tried++ {
		s, changed := b.current()
		if !s.wants(i.Category) {
			return
		}
		err := b.post(ctx, &s, i)
		if err == nil {
			b.sent()
			return
		}
		wait, again := b.again(&s, err, tried, time.Since(began))
		if !again || !rest(ctx, wait, changed) {
			b.failed(i, tried, err)
			return
		}
		b.retried()
	}
}

func (b *Bus) current() (Settings, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.settings, b.changed
}

func (b *Bus) sent() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Sent++
	b.lastErr = ""
}

func (b *Bus) retried() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Retried++
}

func (b *Bus) failed(i *item, tried int, err error) {
	b.mu.Lock()
	b.stats.Failed++
	b.lastErr = clip(clean(err.Error()), maxTitle)
	b.mu.Unlock()
	b.opt.Log.Warn("event not delivered", zap.String("category", i.Category), zap.String("object", i.Object), zap.String("delivery", i.id),
		zap.Int("attempts", tried), zap.Error(err))
}

// rest waits, at most until the settings change. It reports whether ctx goes on.
func rest(ctx context.Context, d time.Duration, changed <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-changed:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// post makes one attempt.
func (b *Bus) post(ctx context.Context, s *Settings, i *item) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	from := b.from
	from.name = s.Name
	body, err := payload(s.Type, i.Event, from)
	if err != nil {
		return &refusal{err: err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return &refusal{err: errors.New("webhook is no URL")} // the error would show it
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", strings.TrimSuffix("pingap/"+b.opt.Version, "/"))
	r.Header.Set(headerEvent, i.Category)
	r.Header.Set(headerDelivery, i.id)
	if s.Secret != "" {
		r.Header.Set(headerSignature, sign(s.Secret.Reveal(), time.Now(), body))
	}
	answer, err := b.pages.Do(r)
	if err != nil {
		return bare(err)
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)) // the status was said already
	return judge(s.Type, answer, said)
}

// bare takes the URL, which is a secret, out of an error.
func bare(err error) error {
	var e *url.Error
	for errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("no answer: %w", err)
}

// refusal is an answer that says no.
type refusal struct {
	err   error
	again bool          // the same may be taken later
	after time.Duration // not before
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// judge says what an answer means; nil is that the event was taken.
func judge(form string, answer *http.Response, said []byte) error {
	code := answer.StatusCode
	if code/100 == 2 {
		return judgeRobot(form, said)
	}
	r := &refusal{err: fmt.Errorf("the answer has status %d", code)}
	switch {
	case code/100 == 3:
		r.err = fmt.Errorf("the answer has status %d: only redirects with 307 or 308 to the same host are followed", code)
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code/100 == 5:
		r.again, r.after = true, retryAfter(answer.Header.Get("Retry-After"), time.Now())
	}
	return r
}

// judgeRobot looks for the error that WeCom and DingTalk answer with status 200.
func judgeRobot(form string, said []byte) error {
	form = strings.ToLower(form)
	var robot struct {
		Code int `json:"errcode"`
	}
	if form != typeWecom && form != typeDingtalk || json.Unmarshal(said, &robot) != nil || robot.Code == 0 {
		return nil
	}
	// Busy, and too much within a minute, of the one and of the other.
	again := robot.Code == -1 || robot.Code == 45009 || robot.Code == 130101
	return &refusal{err: fmt.Errorf("the answer has errcode %d", robot.Code), again: again}
}

// retryAfter reads seconds or a date (RFC 9110, section 10.2.3); 0 where it is neither.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// again says whether another attempt is made, and after what time: one that doubles, of which the second half is chance.
func (b *Bus) again(s *Settings, err error, tried int, since time.Duration) (time.Duration, bool) {
	var r *refusal
	said := errors.As(err, &r)
	if said && !r.again || tried > s.Retries {
		return 0, false
	}
	bound := b.opt.Pace * paceSteps
	if n := tried - 1; n < 6 {
		bound = min(bound, b.opt.Pace<<n)
	}
	wait := bound/2 + rand.N(bound/2+1)
	if said {
		wait = max(wait, r.after)
	}
	return wait, since+wait <= s.RetryTime
}
