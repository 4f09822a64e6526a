package route

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pingap/config"
	"pingap/message"
)

func TestExplainAgreesWithTheMatch(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	chosen := 0
	for range 400 {
		raw := r.IntN(3) == 0
		var locations []*Location
		for i := range r.IntN(20) {
			locations = append(locations, compile(t, randomLocation(r, i)))
		}
		table := NewTable(locations, Options{RawPath: raw})
		for range 20 {
			rec := randomRequest(r)
			var trace Trace
			got := table.MatchTraced(rec, &trace)
			list, more := table.Explain(rec, &trace, got, 200)
			if len(list) != len(locations) || more != 0 {
				t.Fatalf("%d verdicts and %d more of %d locations", len(list), more, len(locations))
			}
			var first *Location
			for _, v := range list {
				if first == nil && v.Chosen {
					first = v.Location
					chosen++
				}
				if v.Why == "matches" || v.Why == "" {
					t.Fatalf("%s: %q, but not chosen", v.Location.Name, v.Why)
				}
				if v.Location.miss(searchFor(table, rec), raw) == missNone && first == nil {
					t.Fatalf("host %q target %q raw %v: %s matches and is before %q in:\n%s", rec.Request.Host, rec.Request.Target, raw,
						v.Location.Name, nameOf(got), describe(locations))
				}
			}
			if first != got {
				t.Fatalf("explained %q, found %q", nameOf(first), nameOf(got))
			}
		}
	}
	if chosen < 1000 {
		t.Fatalf("only %d requests matched: the test shows little", chosen)
	}
}

func TestExplainSaysWhyALocationLost(t *testing.T) {
	table := tableOf(t, Options{},
		&config.Location{Name: "exact", Path: "=/api/users", Weight: 2000},
		&config.Location{Name: "regex", Path: "~^/api/v[0-9]+", Weight: 1900},
		&config.Location{Name: "host", Host: "b.example, *.c.example", Path: "/api", Weight: 1800},
		&config.Location{Name: "header", Path: "/api", MatchHeaders: []string{"X-Beta:1"}, Weight: 1700},
		&config.Location{Name: "query", Path: "/api", MatchQuery: []string{"debug"}, Weight: 1600},
		&config.Location{Name: "cookie", Path: "/api", MatchCookies: []string{"lane:blue"}, Weight: 1500},
		&config.Location{Name: "prefix", Path: "/other", Weight: 1400},
		&config.Location{Name: "winner", Path: "/api", Weight: 1000},
		&config.Location{Name: "second", Path: "/", Weight: 1000},
		&config.Location{Name: "last", Weight: 1},
	)
	rec := record("a.example", "/api//x?y", "X-Beta: 2")
	var trace Trace
	found := table.MatchTraced(rec, &trace)
	list, _ := table.Explain(rec, &trace, found, 100)
	want := []string{
		`exact: path "/api/x" is not /api/users`,
		`regex: path "/api/x" does not match ^/api/v[0-9]+`,
		`host: host "a.example" is not any of b.example, *.c.example`,
		`header: header X-Beta is not "1"`,
		`query: there is no query key debug`,
		`cookie: cookie lane is not "blue"`,
		`prefix: path "/api/x" does not begin with /other`,
		`winner: the first that matches`,
		`second: matches as well, but winner of the same weight stands before it in the list`,
		`last: matches as well, but winner has more weight: 1000 over 1`,
	}
	for i, v := range list {
		if got := v.Location.Name + ": " + v.Why; i >= len(want) || got != want[i] {
			t.Errorf("%d: %s", i, got)
		}
	}
	if len(list) != len(want) {
		t.Errorf("%d verdicts, want %d", len(list), len(want))
	}
}

func TestExplainKeepsThoseThatComeClose(t *testing.T) {
	cfgs := manyLocations(10_000)
	cfgs = append(cfgs, &config.Location{Name: "close", Host: "h1.example.com", Path: "/service/1/", MatchHeaders: []string{"X-A:1"}, Weight: 0})
	table := tableOf(t, Options{}, cfgs...)
	rec := record("h1.example.com", "/service/9991/x")
	var trace Trace
	begin := time.Now()
	found := table.MatchTraced(rec, &trace)
	list, more := table.Explain(rec, &trace, found, 200)
	t.Logf("10,001 locations in %v", time.Since(begin))
	if nameOf(found) != "l9991" || len(list) != 200 || more != 9801 {
		t.Fatalf("found %q, %d verdicts, %d more", nameOf(found), len(list), more)
	}
	there := 0
	for _, v := range list {
		if v.Chosen || v.Location.Config.Host == "h1.example.com" {
			there++
		}
	}
	if there != 200 {
		t.Errorf("%d of 200 are of that host: of 1,001 that differ in the path alone", there)
	}
}

func BenchmarkExplainTenThousand(b *testing.B) {
	table := tableOf(b, Options{}, manyLocations(10_000)...)
	rec := record("h9.example.com", fmt.Sprintf("/service/%d/x", 9999))
	for b.Loop() {
		var trace Trace
		found := table.MatchTraced(rec, &trace)
		if list, _ := table.Explain(rec, &trace, found, 200); len(list) != 200 {
			b.Fatal("too few")
		}
	}
}

func searchFor(t *Table, rec *message.Record) *search {
	var s search
	s.aim(t, rec)
	return &s
}
