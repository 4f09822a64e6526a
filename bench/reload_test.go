package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pingap/e2e/load"
)

// A run that lost something of ours fails; what others lose is only printed.
func TestOnlyOurLossesFailTheComparison(t *testing.T) {
	good := func() *load.Report {
		r := &load.Report{}
		r.Kinds[load.Busy].Started, r.Kinds[load.Busy].Ended[load.OK] = 2, 2
		return r
	}
	bad := good()
	bad.Kinds[load.Busy].Started, bad.Kinds[load.Busy].Ended[load.Reset] = 5, 3
	bad.Failures = []load.Failure{{Kind: load.Busy, Client: 7, Outcome: load.Reset, Err: errors.New("gone")}}
	ended := good()
	ended.Kinds[load.WebSocket].Reopened = 1
	for _, c := range []struct {
		title   string
		report  *load.Report
		arrived error
		fails   bool
	}{
		{"nginx -s reload", bad, errors.New("twice"), false},
		{"pingap reload", good(), nil, false},
		{"pingap reload", bad, nil, true},
		{"pingap reload", good(), errors.New("twice"), true},
		{"pingap roll", ended, nil, true},
		{"pingap roll", &load.Report{}, nil, true},
	} {
		results := []reloaded{{title: c.title, version: "1", count: 3, report: c.report, arrived: c.arrived}}
		if err := ours(results); (err != nil) != c.fails {
			t.Errorf("%s: %v", c.title, err)
		}
		var out bytes.Buffer
		printReloads(&out, results)
		if total := c.report.Total(); total.Failed() > 0 && !strings.Contains(out.String(), "client 7") {
			t.Errorf("the failure is not shown:\n%s", out.String())
		}
	}
}

// Each of our reloads changes something: one without a change would cost nothing.
func TestOurReloadsChangeTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pingap.toml")
	if err := os.WriteFile(path, []byte(pingapReloadConfig(80, 81, "log", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	before := ""
	for n := range 20 {
		in := &instance{dir: dir, proxy: proxy{binary: "true"}}
		if err := pingapApply(t.Context(), in, n); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(text) == before {
			t.Errorf("reload %d changes nothing", n)
		}
		before = string(text)
	}
}
