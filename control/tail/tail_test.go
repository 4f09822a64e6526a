package tail

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"pingap/control/admin/api"
	"pingap/ipc"
)

func TestFiltersAreRead(t *testing.T) {
	for text, want := range map[string]*ipc.Tail{
		"":                            {Rate: usualRate},
		"location=a%20b&slow=100ms":   {Rate: usualRate, Location: "a b", Slow: int64(100 * time.Millisecond)},
		"status=5xx,404, 301-303":     {Rate: usualRate, Status: [][2]int{{500, 599}, {404, 404}, {301, 303}}},
		"status=>%3D400,>499":         {Rate: usualRate, Status: [][2]int{{400, 599}, {500, 599}}},
		"status=<%3D399,<300&limit=7": {Rate: 7, Status: [][2]int{{0, 399}, {0, 299}}},
		"status=6xx":                  nil,
		"status=>=4xx":                nil,
		"status=404," + strings.Repeat("404,", maxStatuses): nil,
		"slow=soon":  nil,
		"slow=-1s":   nil,
		"limit=0":    nil,
		"limit=1001": nil,
		"location=" + strings.Repeat("x", maxName+1): nil,
	} {
		q, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parse(q)
		if (err == nil) != (want != nil) || want != nil && !reflect.DeepEqual(got, *want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

// rig is a Hub behind a server, and what workers are told.
type rig struct {
	*Hub
	url string

	mu   sync.Mutex
	told []ipc.StateItem // guarded by mu
	fail error           // likewise
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{}
	r.Hub = &Hub{Log: zap.NewNop(), Open: func() {}, Tell: func(_ context.Context, items []ipc.StateItem) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.told = append(r.told, items...)
		return r.fail
	}}
	mux := http.NewServeMux()
	for _, route := range r.Routes() {
		mux.HandleFunc(route.Method+" "+route.Path, func(w http.ResponseWriter, req *http.Request) {
			if err := route.Serve(w, req); err != nil {
				api.WriteError(w, err)
			}
		})
	}
	mux.Handle(ipc.WebTail, r.Hub)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

func (r *rig) items() []ipc.StateItem {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]ipc.StateItem(nil), r.told...)
}

// watch gives the events of one who watches, and ends it.
func (r *rig) watch(t *testing.T, query string) (events <-chan string, leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "GET", r.url+"/tail?"+query, nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(err, resp)
	}
	c := make(chan string, 10000)
	go func() { // ends with the answer
		defer close(c)
		defer resp.Body.Close()
		event := ""
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				event = name
			} else if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				c <- event + " " + data
			}
		}
	}()
	return c, cancel
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// send is what a worker does.
func (r *rig) send(t *testing.T, body string) string {
	t.Helper()
	resp, err := http.Post(r.url+ipc.WebTail, "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text := new(strings.Builder)
	bufio.NewReader(resp.Body).WriteTo(text)
	return fmt.Sprint(resp.StatusCode, " ", text)
}

func next(t *testing.T, events <-chan string) string {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("no event")
		return ""
	}
}

func TestLinesReachThoseTheyAreMeantFor(t *testing.T) {
	r := newRig(t)
	one, leaveOne := r.watch(t, "status=404&limit=1000")
	eventually(t, "workers are told", func() bool { return len(r.items()) == 1 })
	two, _ := r.watch(t, "location=a")
	eventually(t, "workers are told", func() bool { return len(r.items()) == 2 })
	a, b := r.items()[0], r.items()[1]
	var wanted ipc.Tail
	if err := json.Unmarshal(a.Body, &wanted); err != nil || a.Kind != ipc.StateTail || wanted.Rate != 1000 || len(wanted.Status) != 1 || time.Until(a.Expires) < lifetime/2 {
		t.Errorf("%+v of %+v, %v", wanted, a, err)
	}
	if got := r.send(t, a.Key+" {\"n\":1}\n"+b.Key+" {\"n\":2}\nnobody {\"n\":3}\n"+a.Key+" !7\nrubbish\n"); got != "200 nobody" {
		t.Errorf("answered %q", got)
	}
	if got := next(t, one); got != `line {"n":1}` {
		t.Errorf("the first: %s", got)
	}
	if got := next(t, one); got != `lost {"lines":7}` {
		t.Errorf("the first, lost: %s", got)
	}
	if got := next(t, two); got != `line {"n":2}` {
		t.Errorf("the second: %s", got)
	}
	leaveOne()
	eventually(t, "workers hear that it is over", func() bool { return len(r.items()) == 3 })
	if got := r.send(t, a.Key+" {}\n"); r.items()[2].Key != a.Key || !r.items()[2].Gone || got != "200 "+a.Key {
		t.Errorf("told %+v, answered %q", r.items()[2], got)
	}
}

func TestALineOfAHostileWorkerIsNoEvent(t *testing.T) {
	r := newRig(t)
	events, _ := r.watch(t, "limit=2")
	eventually(t, "workers are told", func() bool { return len(r.items()) == 1 })
	key := r.items()[0].Key
	var body strings.Builder
	for _, line := range []string{"{\"a\":\r1}", "no json", "{}{}", `{"a":"` + strings.Repeat("x", maxLine) + `"}`, "!99999999999999", "!-1", "", "{}"} {
		body.WriteString(key + " " + line + "\n")
	}
	r.send(t, body.String()+key) // and a line that ends too soon
	if got := next(t, events); got != "line {}" {
		t.Errorf("%.100s", got)
	}
	if got := next(t, events); got != `lost {"lines":5}` {
		t.Errorf("%s", got)
	}
	if got := r.send(t, strings.Repeat("x", 2<<20)); !strings.HasPrefix(got, "400") {
		t.Errorf("too much: %s", got)
	}
}

func TestOneWhoIsTooSlowIsToldHowManyLinesAreLost(t *testing.T) {
	h := &Hub{}
	w, err := h.begin(ipc.Tail{Rate: 1000})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	for range 3 {
		for range 1500 {
			h.take([]byte(w.key+" {}\n"), now)
		}
		now = now.Add(time.Second)
	}
	if lost := w.lost.Load(); len(w.lines) != waiting || lost != 4500-waiting {
		t.Errorf("%d wait, %d are lost", len(w.lines), lost)
	}
}

func TestAWatchIsToldAgainWhereItWasNotHeard(t *testing.T) {
	r := newRig(t)
	r.fail = errors.New("busy")
	r.watch(t, "")
	eventually(t, "it is told again", func() bool { return len(r.items()) >= 2 })
	if r.items()[0].Key != r.items()[1].Key {
		t.Error("another key")
	}
}

func TestOnlySoManyWatch(t *testing.T) {
	r := newRig(t)
	for range ipc.MaxTails {
		r.watch(t, "")
	}
	resp, err := http.Get(r.url + "/tail")
	if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Error(err, resp)
	}
	resp.Body.Close()
}

func FuzzTake(f *testing.F) {
	f.Add([]byte("k {}\nk !3\nother {}\n"))
	f.Add([]byte("k \r\n\n k"))
	f.Fuzz(func(t *testing.T, body []byte) {
		h := &Hub{watches: map[string]*watch{"k": {Tail: ipc.Tail{Rate: 5}, lines: make(chan []byte, 10)}}}
		h.take(body, time.Now())
		for len(h.watches["k"].lines) > 0 {
			if line := <-h.watches["k"].lines; strings.ContainsAny(string(line), "\r\n") || !json.Valid(line) {
				t.Errorf("%q", line)
			}
		}
	})
}
