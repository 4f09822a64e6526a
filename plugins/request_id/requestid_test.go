package requestid

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"pingap/message"
	"pingap/plugins"
	"pingap/plugins/plugintest"
)

var uuid7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestMakesAnIDForRequestResponseAndLog(t *testing.T) {
	x := plugintest.Build(t, Factory(), "")
	e := plugintest.New(t, "GET /\nHost: a")
	if d := x.Decider.Decide(e); d.Answer != nil {
		t.Fatalf("answered %+v", d.Answer)
	}
	if !uuid7.Match(e.RequestID) {
		t.Fatalf("id %q", e.RequestID)
	}
	if got := e.Request.Fields.Get(message.XRequestID); string(got) != string(e.RequestID) {
		t.Errorf("request has %q, id is %q", got, e.RequestID)
	}
	plugintest.SetResponse(t, e, "200 OK\nx-request-id: from upstream\nX-REQUEST-ID: again")
	x.Responder.Response(e)
	if got, want := plugintest.FieldText(e.Response.Fields.List()), "x-request-id: "+string(e.RequestID)+"\n"; got != want {
		t.Errorf("response has %q, want %q", got, want)
	}
}

func TestAStoredResponseGetsTheIDOfItsRequest(t *testing.T) {
	x := plugintest.Build(t, Factory(), ``)
	if x.UpstreamResponder != nil {
		t.Error("puts the id on what is stored")
	}
	e := plugintest.New(t, "GET /\nX-Request-Id: second")
	x.Decider.Decide(e)
	plugintest.SetResponse(t, e, "200 OK\nX-Request-Id: first\nAge: 10") // as the cache has it
	x.Responder.Response(e)
	if got, want := plugintest.FieldText(e.Response.Fields.List()), "X-Request-Id: second\nAge: 10\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestKeepsOnlyASaneID(t *testing.T) {
	cases := []struct {
		name, fields string
		kept         string // empty: a new one
	}{
		{"plain", "X-Request-Id: abc-123", "abc-123"},
		{"any case", "x-request-ID: abc", "abc"},
		{"longest", "X-Request-Id: " + strings.Repeat("a", 128), strings.Repeat("a", 128)},
		{"too long", "X-Request-Id: " + strings.Repeat("a", 129), ""},
		{"empty", "X-Request-Id:", ""},
		{"blank inside", "X-Request-Id: a b", ""},
		{"not ASCII", "X-Request-Id: é", ""},
		{"control", "X-Request-Id: a\tb", ""},
		{"several", "X-Request-Id: first\nX-Request-Id: second", "first"},
		{"other field", "X-Trace: abc", ""},
	}
	x := plugintest.Build(t, Factory(), "")
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := plugintest.New(t, "GET /\n"+c.fields)
			x.Decider.Decide(e)
			if c.kept != "" && string(e.RequestID) != c.kept {
				t.Errorf("id %q, want %q", e.RequestID, c.kept)
			}
			if c.kept == "" && !uuid7.Match(e.RequestID) {
				t.Errorf("id %q, want a new one", e.RequestID)
			}
			count := 0
			for _, f := range e.Request.Fields.List() {
				if f.ID == message.XRequestID {
					count++
					if string(f.Value) != string(e.RequestID) {
						t.Errorf("request has %q, id is %q", f.Value, e.RequestID)
					}
				}
			}
			if count != 1 {
				t.Errorf("%d ids on the request", count)
			}
		})
	}
}

func TestUsesTheFieldConfigured(t *testing.T) {
	x := plugintest.Build(t, Factory(), `header_name = "X-Trace"`)
	e := plugintest.New(t, "GET /\nX-Trace: abc\nX-Request-Id: other")
	x.Decider.Decide(e)
	if string(e.RequestID) != "abc" {
		t.Errorf("id %q", e.RequestID)
	}
	plugintest.SetResponse(t, e, "200 OK")
	x.Responder.Response(e)
	if got := plugintest.FieldText(e.Response.Fields.List()); got != "X-Request-Id: abc\n" {
		t.Errorf("response has %q", got)
	}
}

func TestNanoIDHasTheSizeAndAlphabet(t *testing.T) {
	for table, size := range map[string]int{"": 8, "size = 1": 1, "size = 10": 10, "size = 128": 128} {
		x := plugintest.Build(t, Factory(), "algorithm = \"nanoid\"\n"+table)
		e := plugintest.New(t, "GET /")
		x.Decider.Decide(e)
		if len(e.RequestID) != size || strings.Trim(string(e.RequestID), nanoAlphabet) != "" {
			t.Errorf("%s: id %q", table, e.RequestID)
		}
	}
}

func TestNanoIDUsesTheWholeAlphabet(t *testing.T) {
	seen := map[byte]bool{}
	for range 1000 {
		for _, c := range appendNanoID(nil, 21) {
			seen[c] = true
		}
	}
	if len(seen) != 64 { // 21,000 letters miss one with a chance below 1e-140
		t.Errorf("%d letters", len(seen))
	}
}

func TestUUIDHoldsTheTimeAndDiffers(t *testing.T) {
	const ms = 0x0123456789ab
	seen := map[string]bool{}
	for range 10000 {
		id := string(appendUUID(nil, ms))
		if !uuid7.MatchString(id) || !strings.HasPrefix(id, "01234567-89ab-7") {
			t.Fatalf("id %q", id)
		}
		if seen[id] {
			t.Fatalf("%q twice", id)
		}
		seen[id] = true
	}
	earlier := string(appendUUID(nil, time.Now().UnixMilli()-1))
	if later := string(appendUUID(nil, time.Now().UnixMilli())); earlier >= later {
		t.Errorf("%q does not sort before %q", earlier, later)
	}
}

func TestRunsAtTheStepChosen(t *testing.T) {
	x := plugintest.Build(t, Factory(), `step = "proxy_upstream"`)
	if x.Step != plugins.ProxyUpstream {
		t.Errorf("step %s", x.Step)
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: `algorithm = "ulid"`, Key: "algorithm", Message: `expected uuid or uuidv7 or nanoid, found "ulid"`},
		{Table: `size = 0`, Key: "size", Message: "expected 1 to 128, found 0"},
		{Table: `size = 129`, Key: "size", Message: "expected 1 to 128, found 129"},
		{Table: `header_name = "a b"`, Key: "header_name", Message: `"a b" is not the name of a field`},
		{Table: `header_name = "Host"`, Key: "header_name", Message: "Host is written by the proxy and cannot be changed"},
		{Table: `step = "response"`, Key: "step", Message: `request_id has no step "response", expected request or proxy_upstream`},
	})
}

func TestDoesNotAllocate(t *testing.T) {
	for _, table := range []string{"", "algorithm = \"nanoid\"\nsize = 128"} {
		x := plugintest.Build(t, Factory(), table)
		e := plugintest.New(t, "GET /")
		accept, en := []byte("Accept"), []byte("*/*")
		exchange := func() {
			e.Reset()
			e.Request.Fields.Append(message.Accept, accept, en)
			x.Decider.Decide(e)
			x.Responder.Response(e)
		}
		if n := testing.AllocsPerRun(100, exchange); n != 0 {
			t.Errorf("%q: %v allocations", table, n)
		}
	}
}

func BenchmarkUUID(b *testing.B) {
	var memory [maxLength]byte
	b.ReportAllocs()
	for b.Loop() {
		appendUUID(memory[:0], time.Now().UnixMilli())
	}
}
