package events

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"pingap/config"
)

// patience bounds every wait; it is never reached in a good run.
const patience = 30 * time.Second

// receiver takes what is sent, and answers as told.
type receiver struct {
	*httptest.Server
	got chan request

	mu      sync.Mutex
	answers []func(http.ResponseWriter, *http.Request) // of the next requests; none is 200
}

type request struct {
	header  http.Header
	path    string
	body    []byte
	message string
}

func newReceiver(t *testing.T, tls bool) *receiver {
	r := &receiver{got: make(chan request, 1000)}
	if r.Server = httptest.NewUnstartedServer(r); tls {
		r.StartTLS()
	} else {
		r.Start()
	}
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	var said struct{ Message string }
	_ = json.Unmarshal(body, &said)
	r.got <- request{q.Header, q.URL.Path, body, said.Message}
	r.mu.Lock()
	var answer func(http.ResponseWriter, *http.Request)
	if len(r.answers) > 0 {
		answer, r.answers = r.answers[0], r.answers[1:]
	}
	r.mu.Unlock()
	if answer != nil {
		answer(w, q)
	}
}

func (r *receiver) next(t *testing.T) request {
	t.Helper()
	select {
	case q := <-r.got:
		return q
	case <-time.After(patience):
		t.Fatal("nothing was sent")
		return request{}
	}
}

func status(code int, headers ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

// running is a bus that runs until end.
type running struct {
	*Bus
	end  func()
	logs *observer.ObservedLogs
}

func run(t *testing.T, opt Options) *running {
	core, logs := observer.New(zap.InfoLevel)
	opt.Log = zap.New(core)
	if opt.Pace == 0 {
		opt.Pace = time.Millisecond
	}
	b := New(opt)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { b.Run(ctx) })
	end := func() {
		cancel()
		wg.Wait()
	}
	t.Cleanup(end)
	return &running{b, end, logs}
}

func settings(url string, categories ...string) Settings {
	if len(categories) == 0 {
		categories = []string{BackendStatus, WorkerExit, ReloadConfig, DiffConfig}
	}
	return Settings{URL: config.Secret(url), Categories: categories, Timeout: patience, Retries: 5, RetryTime: patience, Queue: 100, Parallel: 1}
}

func (b *running) until(t *testing.T, what string, ok func(Stats) bool) {
	t.Helper()
	for begun := time.Now(); !ok(b.Stats()); time.Sleep(time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("never: %s; %+v", what, b.Stats())
		}
	}
}

func TestAnEventIsSentAsItIsAndLogged(t *testing.T) {
	r := newReceiver(t, false)
	b := run(t, Options{Version: "1.2"})
	b.Set(1, settings(r.URL+"/hook?key=k"))
	b.Emit(Event{Category: WorkerExit, Level: Error, Message: "worker 0 ended", Object: "worker 0"})
	b.Emit(Event{Category: Upgrade, Level: Info, Message: "not wanted"})
	q := r.next(t)
	if q.path != "/hook" || q.header.Get("Content-Type") != "application/json" || q.header.Get("User-Agent") != "pingap/1.2" ||
		q.header.Get(headerEvent) != WorkerExit || q.header.Get(headerDelivery) == "" || q.header.Get(headerSignature) != "" {
		t.Errorf("%+v", q)
	}
	want, _ := payload("", Event{Category: WorkerExit, Level: Error, Message: "worker 0 ended"}, b.from)
	if string(q.body) != string(want) {
		t.Errorf("got %s\nwant %s", q.body, want)
	}
	b.end()
	if s := b.Stats(); s.Sent != 1 || s.Failed+s.Dropped != 0 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
	if logged := b.logs.FilterMessage("event").All(); len(logged) != 2 || logged[0].Level != zap.InfoLevel || logged[0].ContextMap()["message"] != "worker 0 ended" {
		t.Errorf("logged %v", logged)
	}
}

func TestABodyIsSignedInEachAttempt(t *testing.T) {
	r := newReceiver(t, false)
	r.answers = append(r.answers, status(503))
	b := run(t, Options{})
	s := settings(r.URL)
	s.Secret = "hidden"
	b.Set(1, s)
	b.Emit(Event{Category: WorkerExit, Message: "m"})
	first := r.next(t)
	for _, q := range []request{first, r.next(t)} {
		var at int64
		var sum string
		if _, err := fmt.Sscanf(strings.Replace(q.header.Get(headerSignature), ",v1=", " ", 1), "t=%d %s", &at, &sum); err != nil {
			t.Fatalf("%q: %v", q.header.Get(headerSignature), err)
		}
		mac := hmac.New(sha256.New, []byte("hidden"))
		mac.Write([]byte(strconv.FormatInt(at, 10) + "." + string(q.body)))
		if sum != hex.EncodeToString(mac.Sum(nil)) || time.Since(time.Unix(at, 0)).Abs() > time.Minute {
			t.Errorf("signature %q", q.header.Get(headerSignature))
		}
		if q.header.Get(headerDelivery) != first.header.Get(headerDelivery) {
			t.Error("another delivery in the second attempt")
		}
	}
}

func TestWhatFailsIsTriedAgainInOrder(t *testing.T) {
	r := newReceiver(t, false)
	r.answers = append(r.answers, status(500), status(429, "Retry-After", "0"), func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		conn.Close()
	})
	b := run(t, Options{})
	b.Set(1, settings(r.URL))
	for n := range 5 {
		b.Emit(Event{Category: ReloadConfig, Message: strconv.Itoa(n)})
	}
	var got []string
	for range 8 {
		got = append(got, r.next(t).message)
	}
	if want := []string{"0", "0", "0", "0", "1", "2", "3", "4"}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	b.until(t, "all sent", func(s Stats) bool { return s.Sent == 5 && s.Waiting == 0 })
}

func TestWhatIsRefusedIsNotTriedAgain(t *testing.T) {
	other := newReceiver(t, false)
	for _, c := range []struct {
		name, form string
		answer     func(http.ResponseWriter, *http.Request)
		want       string
	}{
		{"not found", "", status(404), "status 404"},
		{"a redirect to another host", "", status(307, "Location", other.URL), "only redirects with 307 or 308"},
		{"a redirect that makes it a GET", "", status(302, "Location", "/x"), "only redirects with 307 or 308"},
		{"an error of WeCom", "wecom", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"errcode":93000,"errmsg":"hidden"}`) }, "errcode 93000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReceiver(t, false)
			r.answers = append(r.answers, c.answer)
			b := run(t, Options{})
			s := settings(strings.Replace(r.URL, "http://", "http://user:hidden@", 1) + "/hidden")
			s.Type = c.form
			b.Set(1, s)
			b.Emit(Event{Category: WorkerExit, Message: "m"})
			b.until(t, "given up", func(s Stats) bool { return s.Failed == 1 })
			if len(r.got) != 1 || len(other.got) != 0 {
				t.Errorf("%d requests, %d to the other", len(r.got), len(other.got))
			}
			said := fmt.Sprint(b.Notes(), b.logs.FilterMessage("event not delivered").All())
			if !strings.Contains(said, c.want) || strings.Contains(said, "hidden") {
				t.Errorf("said %s", said)
			}
		})
	}
}

func TestARedirectToTheSameHostIsFollowed(t *testing.T) {
	r := newReceiver(t, false)
	r.answers = append(r.answers, status(308, "Location", "/moved"))
	b := run(t, Options{})
	b.Set(1, settings(r.URL))
	b.Emit(Event{Category: WorkerExit, Message: "m"})
	first, second := r.next(t), r.next(t)
	if second.path != "/moved" || string(second.body) != string(first.body) || second.header.Get(headerEvent) != WorkerExit {
		t.Errorf("%+v", second)
	}
}

func TestTriesEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Settings, *receiver)
		most   int
	}{
		{"after so many", func(s *Settings, _ *receiver) { s.Retries = 2 }, 3},
		{"before the time is over", func(s *Settings, _ *receiver) { s.RetryTime = 0 }, 1},
		{"where it is to wait for too long", func(_ *Settings, r *receiver) { r.answers[0] = status(503, "Retry-After", "3600") }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReceiver(t, false)
			for range 10 {
				r.answers = append(r.answers, status(502))
			}
			s := settings(r.URL)
			c.change(&s, r)
			b := run(t, Options{})
			b.Set(1, s)
			b.Emit(Event{Category: WorkerExit, Message: "m"})
			b.until(t, "given up", func(s Stats) bool { return s.Failed == 1 && s.Waiting == 0 })
			if len(r.got) != c.most {
				t.Errorf("%d attempts, want %d", len(r.got), c.most)
			}
		})
	}
}

func TestNobodyListensAndNothingIsShownOfTheAddress(t *testing.T) {
	r := newReceiver(t, false)
	r.Close()
	b := run(t, Options{})
	s := settings(r.URL + "/hidden?token=hidden")
	s.Retries = 1
	b.Set(1, s)
	b.Emit(Event{Category: WorkerExit, Message: "m"})
	b.until(t, "given up", func(s Stats) bool { return s.Failed == 1 })
	if said := fmt.Sprint(b.Notes(), b.logs.All()); strings.Contains(said, "hidden") || !strings.Contains(said, "refused") {
		t.Errorf("said %s", said)
	}
}

func TestASlowReceiverHoldsNobodyUpAndTheOldestGo(t *testing.T) {
	r := newReceiver(t, false)
	release := make(chan struct{})
	r.answers = append(r.answers, func(http.ResponseWriter, *http.Request) { <-release })
	b := run(t, Options{})
	s := settings(r.URL)
	s.Queue = 3
	b.Set(1, s)
	b.Emit(Event{Category: ReloadConfig, Message: "first"})
	r.next(t)
	for n := range 10 {
		b.Emit(Event{Category: ReloadConfig, Message: strconv.Itoa(n)})
	}
	if s := b.Stats(); s.Dropped != 7 || s.Waiting != 4 {
		t.Errorf("%+v", s)
	}
	if notes := fmt.Sprint(b.Notes()); !strings.Contains(notes, "7 events were dropped") || b.logs.FilterMessageSnippet("dropped").Len() != 1 {
		t.Errorf("said %s", notes)
	}
	close(release)
	for _, want := range []string{"7", "8", "9"} {
		if q := r.next(t); q.message != want {
			t.Errorf("got %s, want %s", q.message, want)
		}
	}
}

func TestAttemptsHaveATimeOut(t *testing.T) {
	r := newReceiver(t, false)
	release := make(chan struct{})
	r.answers = append(r.answers, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	b := run(t, Options{})
	s := settings(r.URL)
	s.Timeout = 50 * time.Millisecond
	b.Set(1, s)
	b.Emit(Event{Category: ReloadConfig, Message: "m"})
	r.next(t)
	r.next(t)
	b.until(t, "sent", func(s Stats) bool { return s.Sent == 1 })
}

func TestEventsOfOneObjectKeepTheirOrderWhereSeveralAreSentAtATime(t *testing.T) {
	r := newReceiver(t, false)
	release := make(chan struct{})
	hold := func(http.ResponseWriter, *http.Request) { <-release }
	r.answers = append(r.answers, hold, hold)
	b := run(t, Options{})
	s := settings(r.URL)
	s.Parallel = 2
	b.Set(1, s)
	b.Emit(Event{Category: WorkerExit, Message: "a1", Object: "a"})
	b.Emit(Event{Category: BackendStatus, Message: "a2", Object: "a"})
	b.Emit(Event{Category: BackendStatus, Message: "b1", Object: "b"})
	b.Emit(Event{Category: BackendStatus, Message: "c1", Object: "c"})
	got := []string{r.next(t).message, r.next(t).message}
	slices.Sort(got)
	if len(r.got) > 0 || !slices.Equal(got, []string{"a1", "b1"}) {
		t.Errorf("at first %v, %d more", got, len(r.got))
	}
	close(release)
	got = []string{r.next(t).message, r.next(t).message}
	slices.Sort(got)
	if !slices.Equal(got, []string{"a2", "c1"}) {
		t.Errorf("then %v", got)
	}
}

func TestWhatFlapsIsToldOnceInAWhileWithACount(t *testing.T) {
	r := newReceiver(t, false)
	b := run(t, Options{Fold: 100 * time.Millisecond})
	b.Set(1, settings(r.URL))
	for n := range 100 {
		b.Emit(Event{Category: BackendStatus, Message: strconv.Itoa(n), Object: "u@a"})
	}
	b.Emit(Event{Category: BackendStatus, Message: "other", Object: "u@b"})
	total, last := 0, ""
	for total < 100 {
		q := r.next(t).message
		if q == "other" {
			continue
		}
		n := 1
		if text, count, ok := strings.Cut(q, " ("); ok {
			if _, err := fmt.Sscanf(count, "%d times", &n); err != nil {
				t.Fatal(q)
			}
			q = text
		}
		total += n
		last = q
	}
	if logged := b.logs.FilterMessage("event").Len(); last != "99" || total != 100 || logged > 20 {
		t.Errorf("%d, the last %s, %d lines", total, last, logged)
	}
}

func TestSettingsHoldFromTheNextAttemptOn(t *testing.T) {
	gone, r := newReceiver(t, false), newReceiver(t, false)
	gone.Close()
	b := run(t, Options{Pace: time.Hour})
	b.Emit(Event{Category: WorkerExit, Message: "early"}) // nothing is known yet
	b.Emit(Event{Category: Upgrade, Message: "early and not wanted"})
	s := settings(gone.URL)
	s.RetryTime = 100 * time.Hour
	b.Set(2, s)
	b.Set(1, settings(""))
	b.Emit(Event{Category: WorkerExit, Message: "second"})
	b.Set(3, settings(r.URL))
	for _, want := range []string{"early", "second"} {
		if q := r.next(t); q.message != want {
			t.Errorf("got %s, want %s", q.message, want)
		}
	}
	b.Set(4, settings(""))
	b.Emit(Event{Category: WorkerExit, Message: "to nobody"})
	b.until(t, "nothing waits", func(s Stats) bool { return s.Waiting == 0 && s.Sent == 2 })
}

func TestWhatWaitsAtTheEndIsSentWithinABound(t *testing.T) {
	r := newReceiver(t, false)
	b := run(t, Options{Fold: time.Hour})
	b.Set(1, settings(r.URL))
	for n := range 3 {
		b.Emit(Event{Category: WorkerExit, Message: strconv.Itoa(n), Object: "w"})
	}
	b.end()
	if first, second := r.next(t), r.next(t); first.message != "0" || second.message != "2 (2 times in a short time)" {
		t.Errorf("%s, %s", first.message, second.message)
	}

	release := make(chan struct{})
	defer close(release)
	r.answers = append(r.answers, func(http.ResponseWriter, *http.Request) { <-release })
	late := run(t, Options{})
	late.Set(1, settings(r.URL))
	late.Emit(Event{Category: WorkerExit, Message: "hangs"})
	late.Emit(Event{Category: WorkerExit, Message: "waits"})
	r.next(t)
	begun := time.Now()
	late.end()
	if s := late.Stats(); time.Since(begun) > 10*stopTime || s.Dropped != 1 || s.Failed != 1 || s.Waiting != 0 {
		t.Errorf("after %v: %+v", time.Since(begun), s)
	}
}

func TestCertificatesAreVerified(t *testing.T) {
	r := newReceiver(t, true)
	b := run(t, Options{})
	s := settings(r.URL)
	s.Retries = 0
	b.Set(1, s)
	b.Emit(Event{Category: WorkerExit, Message: "m"})
	b.until(t, "refused", func(s Stats) bool { return s.Failed == 1 })
	if len(r.got) > 0 || !strings.Contains(fmt.Sprint(b.Notes()), "certificate") {
		t.Errorf("%d requests, %v", len(r.got), b.Notes())
	}
	trusting := run(t, Options{Transport: r.Client().Transport})
	trusting.Set(1, s)
	trusting.Emit(Event{Category: WorkerExit, Message: "m"})
	r.next(t)
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-1": 0, "x": 0, "99999999999": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestObjectsThatAreRememberedAreBounded(t *testing.T) {
	f, now := newFolds(time.Second), time.Now()
	for n := range 3 * maxFolds {
		if !f.admit(Event{Category: BackendStatus, Object: strconv.Itoa(n)}, now) {
			t.Fatal("held back")
		}
	}
	if len(f.byKey) != maxFolds || len(f.order) != maxFolds {
		t.Errorf("%d", len(f.byKey))
	}
	if told, _ := f.due(now.Add(time.Second)); len(told) != 0 || len(f.byKey) != 0 || len(f.order) != 0 {
		t.Errorf("%d, %d", len(told), len(f.byKey))
	}
}
