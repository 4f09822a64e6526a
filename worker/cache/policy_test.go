package cache

import (
	"strings"
	"testing"
	"time"

	"pingap/message"
	"pingap/worker/cache/control"
)

// when is a moment of the tests, whose date is written so.
var when = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const whenText = "Sun, 01 Mar 2026 12:00:00 GMT"

// fields reads "Name: value" lines.
func fields(text string) []message.Field {
	var all []message.Field
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			n := []byte(strings.TrimSpace(name))
			all = append(all, message.Field{Name: n, Value: []byte(strings.TrimSpace(value)), ID: message.LookupName(n)})
		}
	}
	return all
}

func arrival(status int, text string) *Arrival {
	return &Arrival{Status: status, Fields: fields(text), Asked: when, Came: when}
}

func TestWhatMayBeStored(t *testing.T) {
	const max = "Cache-Control: max-age=60"
	cases := []struct {
		name     string
		settings Settings
		status   int
		fields   string
		auth     bool
		storable bool
		lifetime time.Duration
	}{
		{"max-age", Settings{}, 200, max, false, true, time.Minute},
		{"s-maxage counts more", Settings{}, 200, "Cache-Control: max-age=60, s-maxage=5", false, true, 5 * time.Second},
		{"s-maxage alone", Settings{}, 200, "Cache-Control: s-maxage=5", false, true, 5 * time.Second},
		{"the lower of two", Settings{}, 200, max + "\nCache-Control: max-age=7", false, true, 7 * time.Second},
		{"expires", Settings{}, 200, "Date: " + whenText + "\nExpires: Sun, 01 Mar 2026 12:00:30 GMT", false, true, 30 * time.Second},
		{"expires without date", Settings{}, 200, "Expires: Sun, 01 Mar 2026 12:00:30 GMT", false, true, 30 * time.Second},
		{"max-age before expires", Settings{}, 200, max + "\nExpires: 0", false, true, time.Minute},
		{"expires that is no date", Settings{}, 200, "Expires: 0", false, false, 0},
		{"expires twice", Settings{}, 200, "Expires: Sun, 01 Mar 2026 12:00:30 GMT\nExpires: Sun, 01 Mar 2026 12:00:30 GMT", false, false, 0},
		{"nothing said", Settings{}, 200, "ETag: \"a\"", false, false, 0},
		{"no-store", Settings{}, 200, max + ", no-store", false, false, 0},
		{"private", Settings{}, 200, max + ", private", false, false, 0},
		{"private fields", Settings{}, 200, max + `, private="x-a, x-b"`, false, true, time.Minute},
		{"max-age inside quotes", Settings{}, 200, `Cache-Control: extension="max-age=60"`, false, false, 0},
		{"max-age that is no number", Settings{}, 200, "Cache-Control: max-age='60'", false, false, 0},
		{"quoted max-age", Settings{}, 200, `Cache-Control: max-age="60"`, false, true, time.Minute},
		{"negative", Settings{}, 200, "Cache-Control: max-age=-1", false, false, 0},
		{"stale with a validator", Settings{}, 200, "Cache-Control: max-age=0\nETag: \"a\"", false, true, 0},
		{"no-cache with a validator", Settings{}, 200, "Cache-Control: no-cache\nETag: \"a\"", false, true, 0},
		{"no-cache without", Settings{}, 200, "Cache-Control: no-cache", false, false, 0},
		{"authorization", Settings{}, 200, max, true, false, 0},
		{"authorization and public", Settings{}, 200, max + ", public", true, true, time.Minute},
		{"authorization and s-maxage", Settings{}, 200, "Cache-Control: s-maxage=60", true, true, time.Minute},
		{"authorization and must-revalidate", Settings{}, 200, max + ", must-revalidate", true, true, time.Minute},
		{"cookie", Settings{}, 200, max + "\nSet-Cookie: a=b", false, false, 0},
		{"cookie allowed", Settings{SetCookie: true}, 200, max + "\nSet-Cookie: a=b", false, true, time.Minute},
		{"cookie that is not stored", Settings{}, 200, max + ", no-cache=\"set-cookie\"\nSet-Cookie: a=b", false, true, time.Minute},
		{"part", Settings{}, 206, max, false, false, 0},
		{"304", Settings{}, 304, max, false, false, 0},
		{"error", Settings{}, 500, max, false, true, time.Minute},
		{"unknown status", Settings{}, 299, max, false, true, time.Minute},
		{"unknown status to be understood", Settings{}, 299, max + ", must-understand", false, false, 0},
		{"understood status", Settings{}, 200, max + ", must-understand, no-store", false, true, time.Minute},
		{"bound", Settings{MaxTTL: 10 * time.Second}, 200, max, false, true, 10 * time.Second},
		{"control needed", Settings{NeedControl: true}, 200, "Expires: Sun, 01 Mar 2026 12:00:30 GMT", false, false, 0},
		{"age too high", Settings{}, 200, max + "\nAge: 60", false, false, 0},
		{"age that is none", Settings{}, 200, max + "\nAge: 1.0", false, false, 0},
		{"two ages", Settings{}, 200, max + "\nAge: 0\nAge: 0", false, false, 0},
		{"old date", Settings{}, 200, max + "\nDate: Sun, 01 Mar 2026 11:58:00 GMT", false, false, 0},
		{"guess", Settings{Heuristic: time.Hour}, 200, "Last-Modified: Sun, 01 Mar 2026 11:50:00 GMT", false, true, time.Minute},
		{"guess bounded", Settings{Heuristic: time.Second}, 200, "Last-Modified: Sun, 01 Mar 2026 11:50:00 GMT", false, true, time.Second},
		{"no guess for 403", Settings{Heuristic: time.Hour}, 403, "Last-Modified: Sun, 01 Mar 2026 11:50:00 GMT", false, false, 0},
		{"no guess unless asked", Settings{}, 200, "Last-Modified: Sun, 01 Mar 2026 11:50:00 GMT", false, false, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := arrival(c.status, c.fields)
			a.Authorization = c.auth
			p := c.settings.Policy(a)
			if p.Storable != c.storable || p.Storable && p.Lifetime != c.lifetime {
				t.Errorf("got %+v, want storable %v for %s", p, c.storable, c.lifetime)
			}
		})
	}
}

func TestJudgement(t *testing.T) {
	cases := []struct {
		name, response, request string
		settings                Settings
		after                   time.Duration
		want                    Verdict
		onError                 bool
	}{
		{"fresh", "max-age=60", "", Settings{}, 59 * time.Second, Fresh, true},
		{"stale", "max-age=60", "", Settings{}, 60 * time.Second, Invalid, false},
		{"client wants newer", "max-age=60", "max-age=10", Settings{}, 11 * time.Second, Invalid, true},
		{"client wants it fresh for longer", "max-age=60", "min-fresh=10", Settings{}, 51 * time.Second, Invalid, true},
		{"client wants none of it", "max-age=60", "no-cache", Settings{}, 0, Invalid, false},
		{"client accepts stale", "max-age=60", "max-stale=10", Settings{}, 65 * time.Second, Stale, false},
		{"too stale for the client", "max-age=60", "max-stale=10", Settings{}, 75 * time.Second, Invalid, false},
		{"client accepts any", "max-age=60", "max-stale", Settings{}, 24 * time.Hour, Stale, false},
		{"client may not", "max-age=60, must-revalidate", "max-stale", Settings{}, 61 * time.Second, Invalid, false},
		{"client may not by s-maxage", "s-maxage=60", "max-stale", Settings{}, 61 * time.Second, Invalid, false},
		{"while revalidate", "max-age=60, stale-while-revalidate=10", "", Settings{}, 69 * time.Second, Updating, false},
		{"with s-maxage", "s-maxage=60, stale-while-revalidate=10", "", Settings{}, 69 * time.Second, Updating, false},
		{"no longer", "max-age=60, stale-while-revalidate=10", "", Settings{}, 70 * time.Second, Invalid, false},
		{"forbidden", "max-age=60, stale-while-revalidate=10, must-revalidate", "", Settings{}, 61 * time.Second, Invalid, false},
		{"by setting", "max-age=60", "", Settings{StaleWhileRevalidate: 10 * time.Second}, 61 * time.Second, Updating, false},
		{"setting and s-maxage", "s-maxage=60", "", Settings{StaleWhileRevalidate: time.Hour, StaleIfError: time.Hour}, 61 * time.Second, Invalid, false},
		{"on error", "max-age=60, stale-if-error=10", "", Settings{}, 61 * time.Second, Invalid, true},
		{"on error, by setting", "max-age=60", "", Settings{StaleIfError: 10 * time.Second}, 61 * time.Second, Invalid, true},
		{"on error, too late", "max-age=60, stale-if-error=10", "", Settings{}, 70 * time.Second, Invalid, false},
		{"to be validated each time", "no-cache", "", Settings{StaleIfError: time.Hour}, 0, Invalid, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := arrival(200, "ETag: \"a\"\nCache-Control: "+c.response)
			p := c.settings.Policy(a)
			h := NewHead("k", a, &p, false)
			d := control.ParseDirectives(fields("Cache-Control: " + c.request))
			now := when.Add(c.after).UnixNano()
			if got := h.Judge(&d, now); got != c.want || h.OnError(&d, now) != c.onError {
				t.Errorf("got %d and %v, want %d and %v", got, h.OnError(&d, now), c.want, c.onError)
			}
		})
	}
}

func TestStoredFieldsAreThoseOfTheResponseAlone(t *testing.T) {
	a := arrival(200, "Connection: x-hop, close\nX-Hop: 1\nKeep-Alive: 5\nContent-Length: 3\nAge: 1\nX-Request-Id: 7\nSet-Cookie: a=b\n"+
		"Transfer-Encoding: chunked\nX-Secret: 1\nX-Kept: 1\nCache-Control: max-age=9, no-cache=\"x-secret\"\nX-Cache: MISS\nContent-Type: a/b")
	p := (&Settings{SetCookie: true}).Policy(a)
	var names []string
	for _, f := range NewHead("k", a, &p, false).Fields {
		names = append(names, string(f.Name))
	}
	if got := strings.Join(names, " "); got != "X-Kept Cache-Control Content-Type Date" {
		t.Errorf("got %s", got)
	}
}

func TestA304FreshensWhatIsStored(t *testing.T) {
	s := Settings{}
	a := arrival(200, "Cache-Control: max-age=1\nETag: \"a\"\nContent-Type: a/b\nContent-Encoding: gzip\nX-A: 1\nX-B: 1\nX-B: 2\nDate: "+whenText)
	p := s.Policy(a)
	old := NewHead("k", a, &p, false)
	old.Length = 7
	later := when.Add(time.Minute)
	h := s.Freshen(old, &Arrival{Status: 304, Asked: later, Came: later,
		Fields: fields("Cache-Control: max-age=60\nETag: \"b\"\nContent-Encoding: br\nContent-Length: 0\nX-B: 3\nDate: Sun, 01 Mar 2026 12:01:00 GMT")})
	if h == nil {
		t.Fatal("refused")
	}
	var got []string
	for _, f := range h.Fields {
		got = append(got, string(f.Name)+"="+string(f.Value))
	}
	want := `ETag="a" Content-Type=a/b Content-Encoding=gzip X-A=1 Cache-Control=max-age=60 X-B=3 Date=Sun, 01 Mar 2026 12:01:00 GMT`
	if text := strings.Join(got, " "); text != want || h.Length != 7 || h.Status != 200 || h.Born != later.UnixNano() {
		t.Errorf("got  %s\nwant %s\n%+v", text, want, h)
	}
	if s.Freshen(old, arrival(304, "Cache-Control: no-store")) != nil {
		t.Error("a 304 with no-store was joined")
	}
}
