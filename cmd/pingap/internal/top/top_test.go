package top

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pingap/control/recent"
)

const known = `{"at":1700000000000,"interval_ms":1000,"totals":{"rps":12.34,"p50_ms":1.5,"p90_ms":null,"p99_ms":250.4,"connections":7,"bytes_out_per_s":1536,"status":{"2xx":12}},
	"locations":[{"name":"quiet","rps":0,"p50_ms":null},{"name":"busy","rps":99.5,"errors_per_s":1,"p50_ms":0.25,"processing":3},{"name":"evil\u001b[2J\u202e","rps":1}],
	"upstreams":[{"name":"up","rps":5,"healthy":1,"total":2,"backends":[{"addr":"10.0.0.1:80","healthy":true,"state":"up","since":"2026-01-02T03:04:05Z","in_flight":4},
		{"addr":"10.0.0.2:80","healthy":false,"state":"drain","since":null,"last_error":"refused\n","in_flight":null}]}],
	"processes":[{"pid":1,"kind":"supervisor","state":"running","cpu_percent":null,"memory":1048576,"uptime_ms":61000},{"pid":2,"kind":"worker","slot":1,"generation":4,
		"state":"active","cpu_percent":12.3,"memory":3221225472,"connections":7,"requests":1000}]}`

func liveOf(t *testing.T) *recent.Live {
	t.Helper()
	var l recent.Live
	if err := json.Unmarshal([]byte(known), &l); err != nil {
		t.Fatal(err)
	}
	return &l
}

// shown is a screen after keys, without what makes it bold.
func shown(t *testing.T, width, height int, keys string) string {
	t.Helper()
	s := newScreen("")
	s.width, s.height = width, height
	for _, key := range keysOf([]byte(keys)) {
		if s.press(key) {
			t.Fatalf("%q ends it", keys)
		}
	}
	return strings.NewReplacer(bold, "", inverse, "", plain, "").Replace(strings.Join(s.frame(liveOf(t)), "\n"))
}

func TestKeysChangeWhatIsShown(t *testing.T) {
	for _, c := range []struct {
		name, keys string
		has, lacks []string
	}{
		{"at first", "", []string{"12.3 req/s", "p99 250 ms", "p90 -", "LOCATION", "busy", "99.5", "0.25"}, []string{"10.0.0.1", "\x1b", "\u202e"}},
		{"upstreams", "2", []string{"UPSTREAM", "up"}, []string{"busy"}},
		{"backends", "3", []string{"10.0.0.2:80", "drain", "refused?", "no"}, []string{"busy"}},
		{"workers", "4", []string{"3.0 GiB", "12.3", "supervisor", "1m1s"}, []string{"busy"}},
		{"the next view, and round", "\t\t\t\t\t", []string{"UPSTREAM"}, nil},
		{"a filter", "/BUS\r", []string{"busy", "filter: BUS"}, []string{"quiet"}},
		{"a filter, mended", "/qx\x7fu\r", []string{"quiet"}, []string{"busy"}},
		{"letters of a filter are no keys", "/4q", []string{"LOCATION", "filter: 4q"}, []string{"busy"}},
		{"no filter", "/busy\r\x1b", []string{"busy", "quiet"}, []string{"filter"}},
		{"help", "h", []string{"q quit"}, nil},
		{"pause", "p", []string{"paused"}, nil},
		{"sequences that mean nothing", "\x1b[15~\x1b[1;5C\x1bOP\x1b[", []string{"LOCATION", "busy"}, []string{"paused"}},
	} {
		got := shown(t, 200, 40, c.keys)
		for _, part := range c.has {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q is not in\n%s", c.name, part, got)
			}
		}
		for _, part := range c.lacks {
			if strings.Contains(got, part) {
				t.Errorf("%s: %q is in\n%s", c.name, part, got)
			}
		}
	}
	for _, keys := range []string{"q", "\x03", "/abc\x03"} {
		s := newScreen("workers")
		if s.view != 3 || !slices.ContainsFunc(keysOf([]byte(keys)), s.press) {
			t.Errorf("%q does not end it", keys)
		}
	}
}

func TestRowsAreSorted(t *testing.T) {
	for keys, want := range map[string][]string{
		"":                     {"busy", "evil", "quiet"},
		"r":                    {"quiet", "evil", "busy"},
		"ss":                   {"busy", "quiet", "evil"}, // by errors
		strings.Repeat("s", 7): {"busy", "evil", "quiet"}, // round, by name
	} {
		got, at := shown(t, 200, 40, keys), -1
		for _, name := range want {
			next := strings.Index(got, "\n"+name)
			if keys != "ss" && next <= at || next < 0 {
				t.Errorf("%q: %s is not in its place:\n%s", keys, name, got)
			}
			at = next
		}
	}
}

func TestAScreenOfAnySizeIsFilledAndNoMore(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {10, 3}, {40, 6}, {80, 24}, {300, 100}} {
		for _, keys := range []string{"", "2", "3", "4", "h", "\x1b[B\x1b[B\x1b[B\x1b[6~", "\x1b[A\x1b[5~", "/x"} {
			lines := strings.Split(shown(t, size[0], size[1], keys), "\n")
			if len(lines) > size[1] {
				t.Errorf("%v, %q: %d lines", size, keys, len(lines))
			}
			for _, line := range lines {
				if utf8.RuneCountInString(line) > size[0] {
					t.Errorf("%v, %q: %q is too long", size, keys, line)
				}
			}
		}
	}
}

func TestWhatIsPrintedOnceHasEveryView(t *testing.T) {
	var all, one strings.Builder
	if err := Print(&all, liveOf(t), ""); err != nil {
		t.Fatal(err)
	}
	if err := Print(&one, liveOf(t), "backends"); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"LOCATION", "UPSTREAM", "BACKEND", "PROCESS", "12.3 req/s"} {
		if !strings.Contains(all.String(), part) {
			t.Errorf("%q is not in\n%s", part, all.String())
		}
	}
	if strings.Contains(one.String(), "LOCATION") || !strings.Contains(one.String(), "10.0.0.2:80") {
		t.Errorf("one view:\n%s", one.String())
	}
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte("1234\t/abc\x7f\r\x1b[A\x1b[6~\x1b"))
	f.Add([]byte("/\xff\xfe\x1b["))
	f.Fuzz(func(t *testing.T, input []byte) {
		s := newScreen("")
		s.width, s.height = 60, 10
		var l recent.Live
		if json.Unmarshal([]byte(known), &l) != nil {
			t.Fatal("bad example")
		}
		for _, key := range keysOf(input) {
			s.press(key)
		}
		for _, line := range s.frame(&l) {
			if !utf8.ValidString(line) {
				t.Errorf("%q", line)
			}
		}
	})
}
