package main

import (
	"encoding/json"
	"testing"
)

// What the help shows is described, and nothing else.
func TestDescriptionIsTheCommandLine(t *testing.T) {
	r := command(t, nil, "describe")
	var d description
	if err := json.Unmarshal([]byte(r.out), &d); err != nil || r.code != exitDone {
		t.Fatalf("exit code %d, %v: %s", r.code, err, r.out)
	}
	if d.Version != version || d.Exit != exitHelp {
		t.Errorf("version %q, exit codes %q", d.Version, d.Exit)
	}
	same(t, "pingap", d.Flags, serveFlags())
	if len(d.Commands) != len(verbs()) {
		t.Fatalf("%d commands, want %d", len(d.Commands), len(verbs()))
	}
	for i, v := range verbs() {
		if c := d.Commands[i]; c.Name != v.name || c.Summary != v.summary || c.Help != v.help {
			t.Errorf("command %d is %+v, want %s", i, c, v.name)
		}
		same(t, v.name, d.Commands[i].Flags, v.allFlags())
	}
}

func same(t *testing.T, of string, got []describedFlag, want []flagSpec) {
	t.Helper()
	byName := map[string]describedFlag{}
	for _, f := range got {
		byName[f.Long] = f
	}
	for _, f := range want {
		d, found := byName[f.long]
		delete(byName, f.long)
		switch {
		case found != (f.later == ""):
			t.Errorf("%s --%s: described %v, later %q", of, f.long, found, f.later)
		case found && (d.Value != f.value || d.Env != f.env || d.Help != f.help || len(d.Short) > 0 != (f.short > 0)):
			t.Errorf("%s --%s: described as %+v", of, f.long, d)
		}
	}
	if len(byName) > 0 {
		t.Errorf("%s: too many: %v", of, byName)
	}
}
