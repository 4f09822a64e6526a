package acceptencoding

import (
	"strings"
	"testing"

	"pingap/message"
	"pingap/plugins/plugintest"
)

func TestNarrowsWhatARequestAccepts(t *testing.T) {
	const all, one = `encodings = "zstd, br, gzip"`, "encodings = \"zstd, br, gzip\"\nonly_one_encoding = true"
	const chrome, safari, curl = "gzip, deflate, br, zstd", "gzip, deflate, br", "deflate, gzip, br, zstd"
	cases := []struct{ name, table, fields, want string }{
		{"none sent", all, "", ""},
		{"chrome and firefox", all, "Accept-Encoding: " + chrome, "Accept-Encoding: zstd, br, gzip\n"},
		{"chrome and firefox, one", one, "Accept-Encoding: " + chrome, "Accept-Encoding: zstd\n"},
		{"safari", one, "Accept-Encoding: " + safari, "Accept-Encoding: br\n"},
		{"curl", all, "Accept-Encoding: " + curl, "Accept-Encoding: zstd, br, gzip\n"},
		{"go", one, "Accept-Encoding: gzip", "Accept-Encoding: gzip\n"},
		{"other order", `encodings = "gzip,br"`, "accept-encoding: " + chrome, "accept-encoding: gzip, br\n"},
		{"any case", all, "Accept-Encoding: GZip;Q=1, BR", "Accept-Encoding: br, gzip\n"},
		{"refused", all, "Accept-Encoding: gzip;q=0, br;q=0.000, zstd ; q=0.001", "Accept-Encoding: zstd\n"},
		{"all refused", all, "Accept-Encoding: gzip;q=0", ""},
		{"weights do not order", all, "Accept-Encoding: zstd;q=0.1, gzip;q=1.0", "Accept-Encoding: zstd, gzip\n"},
		{"other parameters", all, "Accept-Encoding: gzip;level=9;q=0.5", "Accept-Encoding: gzip\n"},
		{"weights that cannot be read", all, "Accept-Encoding: gzip;q=, br;q=2, zstd;q=0.x", ""},
		{"star is no name", all, "Accept-Encoding: *", ""},
		{"identity goes", all, "Accept-Encoding: identity, gzip", "Accept-Encoding: gzip\n"},
		{"part of a name", all, "Accept-Encoding: x-gzip, brotli", ""},
		{"empty", all, "Accept-Encoding:", ""},
		{"commas", all, "Accept-Encoding: ,, gzip ,;", "Accept-Encoding: gzip\n"},
		{"several fields", all, "Accept-Encoding: gzip\nAccept: */*\nAccept-Encoding: br", "Accept-Encoding: br, gzip\nAccept: */*\n"},
		{"nothing wanted", ``, "Accept-Encoding: gzip\nAccept: */*", "Accept: */*\n"},
		{"twice in the list", `encodings = "gzip,, GZIP,br"`, "Accept-Encoding: br, gzip", "Accept-Encoding: gzip, br\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := plugintest.New(t, "GET /\n"+c.fields)
			if d := plugintest.Build(t, Factory(), c.table).Decider.Decide(e); d.Answer != nil {
				t.Errorf("%+v", d)
			}
			if got := plugintest.FieldText(e.Request.Fields.List()); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	const list = "expected a comma list of encodings such as \"zstd, br, gzip\""
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: `encodings = "gzip br"`, Key: "encodings", Message: list},
		{Table: `encodings = "gzip;q=1"`, Key: "encodings", Message: list},
		{Table: `encodings = ["gzip", "br"]`, Key: "encodings", Message: "expected text, found a list"},
		{Table: `encodings = "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"`, Key: "encodings", Message: "expected at most 16 encodings and 256 letters"},
		{Table: `encodings = "` + strings.Repeat("a", 257) + `"`, Key: "encodings", Message: "expected at most 16 encodings and 256 letters"},
		{Table: `step = "request"`, Key: "step", Message: `accept_encoding has no step "request", expected early_request`},
	})
}

func TestNarrowingDoesNotAllocate(t *testing.T) {
	x := plugintest.Build(t, Factory(), `encodings = "zstd, br, gzip"`)
	const request = "GET /\nAccept-Encoding: gzip, deflate, br, zstd"
	e := plugintest.New(t, request)
	name, value := []byte("Accept-Encoding"), []byte("gzip, deflate, br, zstd")
	if n := testing.AllocsPerRun(100, func() {
		e.Request.Fields.Reset()
		e.Request.Fields.Append(message.AcceptEncoding, name, value)
		x.Decider.Decide(e)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What stays was asked for, whatever a client sends.
func FuzzAccepted(f *testing.F) {
	for _, seed := range []string{"gzip, deflate, br, zstd", "gzip;q=0, br;q=0.001", "*;q=0.1,zstd", ";;,=,q", "br;q=1;q=0"} {
		f.Add([]byte(seed))
	}
	n := &narrowing{encodings: []string{"zstd", "br", "gzip"}}
	f.Fuzz(func(t *testing.T, value []byte) {
		set := n.accepted(value)
		for i, encoding := range n.encodings {
			if set&(1<<i) != 0 && !strings.Contains(strings.ToLower(string(value)), encoding) {
				t.Fatalf("%q: %s", value, encoding)
			}
		}
		kept := n.appendValue(nil, set)
		if again := n.accepted(kept); again != set {
			t.Fatalf("%q: %q is read as another set", value, kept)
		}
	})
}
