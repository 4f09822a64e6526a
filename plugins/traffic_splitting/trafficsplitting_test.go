package trafficsplitting

import (
	"fmt"
	"testing"

	"pingap/plugins"
	"pingap/plugins/plugintest"
)

func TestChanceSendsTheShare(t *testing.T) {
	for _, c := range []struct{ weight, least, most int }{{0, 0, 0}, {1, 20, 220}, {50, 4500, 5500}, {99, 9780, 9980}, {100, 10_000, 10_000}} {
		x := plugintest.Build(t, Factory(), fmt.Sprintf("upstream = \"next\"\nweight = %d", c.weight))
		e, sent := plugintest.New(t, "GET /"), 0
		for range 10_000 {
			e.UpstreamOverride = ""
			if d := x.Decider.Decide(e); d.Answer != nil {
				t.Fatalf("%+v", d)
			}
			if e.UpstreamOverride == "next" {
				sent++
			}
		}
		if sent < c.least || sent > c.most {
			t.Errorf("weight %d: %d of 10,000", c.weight, sent)
		}
	}
}

func TestClientsStayWhereTheirValueSendsThem(t *testing.T) {
	const cookie, header = "stickiness = true\nsticky_cookie = \"user\"\n", "stickiness = true\nsticky_header = \"X-User\"\n"
	cases := []struct {
		name, table, fields string
		sent                bool
	}{
		// the CRC-32 of "123456789" is 0xcbf43926, by its check value: 62
		{"check value below", cookie + "weight = 63", "Cookie: user=123456789", true},
		{"check value above", cookie + "weight = 62", "Cookie: user=123456789", false},
		{"header", header + "weight = 63", "x-user: 123456789", true},
		{"header above", header + "weight = 62", "X-User: 123456789", false},
		{"all", cookie + "weight = 100", "Cookie: a=b; user=x", true},
		{"absent", cookie + "weight = 100", "Cookie: a=b", false},
		{"empty", cookie + "weight = 100", "Cookie: user=", false},
		{"another case of cookie", cookie + "weight = 100", "Cookie: User=x", false},
		{"cookie goes first", cookie + "sticky_header = \"X-User\"\nweight = 100", "X-User: x", false},
		{"matches", cookie + "matcher = \"^beta\"\nweight = 1", "Cookie: user=beta-7", true},
		{"matches, weight 0", cookie + "matcher = \"^beta\"", "Cookie: user=beta-7", false},
		{"does not match", cookie + "matcher = \"^beta\"\nweight = 100", "Cookie: user=alpha", false},
		{"matcher and nothing to match", cookie + "matcher = \"^\"\nweight = 100", "", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			x := plugintest.Build(t, Factory(), "upstream = \"next\"\n"+c.table)
			for range 20 {
				e := plugintest.New(t, "GET /\n"+c.fields)
				if d := x.Decider.Decide(e); d.Answer != nil || (e.UpstreamOverride == "next") != c.sent {
					t.Fatalf("override %q, %+v", e.UpstreamOverride, d)
				}
			}
		})
	}
}

func TestValuesAreSpread(t *testing.T) {
	x := plugintest.Build(t, Factory(), "upstream = \"next\"\nweight = 30\nstickiness = true\nsticky_header = \"X-User\"")
	sent := 0
	for i := range 1000 {
		e := plugintest.New(t, fmt.Sprintf("GET /\nX-User: user-%d", i))
		x.Decider.Decide(e)
		if e.UpstreamOverride != "" {
			sent++
		}
	}
	if sent < 230 || sent > 370 {
		t.Errorf("%d of 1000 users", sent)
	}
}

func TestTheUpstreamIsAReference(t *testing.T) {
	r := plugins.NewRegistry([]plugins.Factory{Factory()}, nil)
	got := r.Upstreams("traffic_splitting", map[string]any{"upstream": "next", "weight": int64(1)})
	if len(got) != 1 || got[0].Key != "upstream" || got[0].Name != "next" {
		t.Errorf("%+v", got)
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	const ok = "upstream = \"a\"\n"
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: ``, Key: "upstream", Message: "is required: Name of the upstream that gets the share."},
		{Table: ok + `weight = 101`, Key: "weight", Message: "expected 0 to 100, found 101"},
		{Table: ok + `weight = -1`, Key: "weight", Message: "expected 0 to 100, found -1"},
		{Table: ok + `stickiness = true`, Key: "stickiness", Message: "needs sticky_cookie or sticky_header"},
		{Table: ok + `sticky_cookie = "a b"`, Key: "sticky_cookie", Message: "expected a name without blanks and signs"},
		{Table: ok + `sticky_header = "a:"`, Key: "sticky_header", Message: "expected a name without blanks and signs"},
		{Table: ok + `matcher = "("`, Key: "matcher", Message: "error parsing regexp: missing closing ): `(`"},
		{Table: ok + `step = "proxy_upstream"`, Key: "step", Message: `traffic_splitting has no step "proxy_upstream", expected request`},
	})
}

func TestChoosingDoesNotAllocate(t *testing.T) {
	for _, table := range []string{"weight = 50", "weight = 50\nstickiness = true\nsticky_cookie = \"user\""} {
		x := plugintest.Build(t, Factory(), "upstream = \"next\"\n"+table)
		e := plugintest.New(t, "GET /\nCookie: a=b; user=x")
		if n := testing.AllocsPerRun(100, func() { x.Decider.Decide(e) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}
