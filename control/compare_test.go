package control

import (
	"strings"
	"testing"

	"pingap/config"
	"pingap/ipc"
)

func load(t *testing.T, text string) (*config.Config, []byte) {
	t.Helper()
	cfg, report := config.Load([]config.Document{{Name: "p.toml", Data: []byte(text)}}, config.Options{})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	data, _ := config.Encode(cfg)
	return cfg, data
}

// Comparing only what has another hash finds what comparing everything finds.
func TestCompareFindsTheSameAsAFullDiff(t *testing.T) {
	edits := [][2]string{
		{"", ""},
		{"127.0.0.1:9", "127.0.0.1:10"},
		{`path = "/"`, `path = "/a"`},
		{`addr = "127.0.0.1:6199"`, `addr = "127.0.0.1:6200"`},
		{"[servers.web]", "[basic]\nthreads = 3\n[servers.web]"},
		{"[servers.web]", "[basic]\nlog_level = \"debug\"\n[servers.web]"},
		{"[upstreams.u]", "[plugins.p]\ncategory = \"mock\"\n[locations.m]\npath = \"/m\"\n[upstreams.u]"},
		{"[servers.web]", "[servers.other]\naddr = \"127.0.0.1:6201\"\n[servers.web]"},
	}
	for _, from := range edits {
		for _, to := range edits {
			old, oldData := load(t, strings.Replace(base, from[0], from[1], 1))
			cfg, data := load(t, strings.Replace(base, to[0], to[1], 1))
			live, err := config.OpenSnapshot(oldData)
			if err != nil {
				t.Fatal(err)
			}
			var v Verdict
			if err := v.compare(live, cfg, data); err != nil {
				t.Fatal(err)
			}
			want := config.Diff(old, cfg)
			if v.Class != ipc.Class(want.Class()) || len(v.Changes) != len(want) ||
				strings.Join(v.Heavy, ",") != strings.Join(want.Needs(config.Listeners), ",") {
				t.Errorf("%q to %q: class %d, changes %+v; want %s, %s", from[1], to[1], v.Class, v.Changes, want.Class(), want.Text())
				continue
			}
			for i, c := range want {
				if v.Changes[i] != (ipc.Change{Object: c.Object(), Class: ipc.Class(c.Class)}) {
					t.Errorf("%q to %q: change %d is %+v, want %s", from[1], to[1], i, v.Changes[i], c.Object())
				}
			}
		}
	}
}

// An answer larger than a packet keeps its beginning and still arrives.
func TestAnswersFitIntoOnePacket(t *testing.T) {
	lines := make([]string, 1000)
	for i := range lines {
		lines[i] = strings.Repeat("<", 200) // six bytes each in JSON
	}
	refused := &ipc.Refused{Reason: "r", Errors: lines}
	bodies := []ipc.Body{refused, &ipc.Applied{Version: 1, Warnings: lines}, &ipc.StatusAll{State: "s", Logs: lines},
		&ipc.Reopened{Paths: lines}, &ipc.Ready{}}
	for _, b := range bodies {
		if got := fit(b); tooLarge(got) || got.Type() != b.Type() {
			t.Errorf("%s is still too large", b.Type())
		}
	}
	if len(refused.Errors) != len(lines) {
		t.Error("an answer that others share was changed")
	}
	if got := fit(refused).(*ipc.Refused); got.Reason != "r" || len(got.Errors) == 0 {
		t.Errorf("%d errors are left", len(got.Errors))
	}
}

func TestClippedListsSayWhatIsLeftOut(t *testing.T) {
	long := strings.Repeat("x", 3*maxLine)
	if got := clip([]string{long, "b"}, maxAllLines); len(got) != 2 || len(got[0]) > maxLine+3 || got[1] != "b" {
		t.Errorf("%d lines, the first of %d bytes", len(got), len(got[0]))
	}
	many := make([]string, maxLines+7)
	if got := clip(many, maxAllLines); len(got) != maxLines+1 || got[maxLines] != "and 7 more" {
		t.Errorf("%d lines, %q", len(got), got[len(got)-1])
	}
	if got := clip([]string{"abc", "def", "ghi"}, 5); len(got) != 2 || got[1] != "and 2 more" {
		t.Errorf("%q", got)
	}
	changes := make([]ipc.Change, 10)
	changes[9].Class = ipc.ClassRoll
	if got := clipChanges(changes, 3); len(got) != 4 || got[3].Class != ipc.ClassRoll || got[3].Object != "and 7 more" {
		t.Errorf("%+v", got)
	}
}
