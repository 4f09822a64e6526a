package subfilter

import (
	"cmp"
	"strings"
	"testing"

	"pingap/message"
	"pingap/plugins"
	"pingap/plugins/plugintest"
)

func TestReplaces(t *testing.T) {
	const body = "Hello hello http://a/x http://b/y"
	cases := []struct{ name, filters, want string }{
		{"first text", `"sub_filter 'http' 'https'"`, "Hello hello https://a/x http://b/y"},
		{"all texts", `"sub_filter 'http:' 'https:' g"`, "Hello hello https://a/x https://b/y"},
		{"text is no regex", `"sub_filter '.' '!' g"`, body},
		{"first match", `"subs_filter 'h[a-z]+' 'X'"`, "Hello X http://a/x http://b/y"},
		{"all matches", `"subs_filter 'h[a-z]+' 'X' g"`, "Hello X X://a/x X://b/y"},
		{"any case", `"subs_filter 'HELLO' 'X' i"`, "X hello http://a/x http://b/y"},
		{"any case, all", `"subs_filter 'HELLO|B' 'X' gi"`, "X X http://a/x http://X/y"},
		{"alternatives and case", `"subs_filter 'hello$|^hello' 'X' ig"`, "X hello http://a/x http://b/y"},
		{"groups", `"subs_filter 'http://([a-z])/(?P<p>[a-z])' '${p}@$1' g"`, "Hello hello x@a y@b"},
		{"group, first", `"subs_filter 'http://([a-z])/' '$1$1:'"`, "Hello hello aa:x http://b/y"},
		{"in order", `"sub_filter 'Hello' 'http'", "sub_filter 'http' 'ftp' g"`, "ftp hello ftp://a/x ftp://b/y"},
		{"nothing found", `"sub_filter 'zzz' 'y' g", "subs_filter 'z+' 'y'"`, body},
		{"spaces around", `"  sub_filter   'Hello'   'Hi'   "`, "Hi hello http://a/x http://b/y"},
		{"shorter", `"subs_filter ' .*' '!'"`, "Hello!"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			x := plugintest.Build(t, Factory(), "filters = ["+strings.ReplaceAll(c.filters, `\`, `\\`)+"]")
			for size := 1; size <= len(body); size += 5 { // matches that begin in one piece and end in another
				if got := filtered(t, x, body, size); got != c.want {
					t.Fatalf("pieces of %d: %q, want %q", size, got, c.want)
				}
			}
		})
	}
}

func TestChoosesResponses(t *testing.T) {
	const html, holding = "Content-Type: text/html\n", "filters = [\"subs_filter 'a' 'b'\"]\n"
	cases := []struct {
		name, table, request, response string
		taken                          bool
	}{
		{"any", ``, "GET /a", "200 OK\n" + html, true},
		{"error page", ``, "GET /a", "500 Oops\n" + html, true},
		{"path", `path = "^/a"`, "GET /a?b", "200 OK", true},
		{"path in another form", `path = "^/a$"`, "GET //x/../%61", "200 OK", true},
		{"another path", `path = "^/b"`, "GET /a?/b", "200 OK", false},
		{"status", `status_codes = "200, 201"`, "GET /", "201 Created", true},
		{"another status", `status_codes = "200,201"`, "GET /", "404 Not Found", false},
		{"head gets the same head", ``, "HEAD /", "200 OK\nContent-Length: 5", true},
		{"no content", ``, "GET /", "204 No Content", false},
		{"empty", ``, "GET /", "200 OK\nContent-Length: 0", false},
		{"part", ``, "GET /", "206 Partial Content\nContent-Range: bytes 0-1/3", false},
		{"upgrade", ``, "GET /", "101 Switching Protocols", false},
		{"not modified", ``, "GET /", "304 Not Modified", false},
		{"gzip", ``, "GET /", "200 OK\nContent-Encoding: gzip", false},
		{"identity", ``, "GET /", "200 OK\nContent-Encoding: Identity", true},
		{"event stream", ``, "GET /", "200 OK\nContent-Type: text/event-stream; charset=utf-8", false},
		{"text and long", `max_body = 10`, "GET /", "200 OK\nContent-Length: 11", true},
		{"as long as may be", holding + `max_body = 10`, "GET /", "200 OK\nContent-Length: 10", true},
		{"announced longer", holding + `max_body = 10`, "GET /", "200 OK\nContent-Length: 11", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if !strings.HasPrefix(c.table, holding) {
				c.table = "filters = [\"sub_filter 'a' 'b'\"]\n" + c.table
			}
			x := plugintest.Build(t, Factory(), c.table)
			e := plugintest.New(t, c.request)
			plugintest.SetResponse(t, e, c.response+"\nAccept-Ranges: bytes")
			if got := x.BodyFilterer.BodyFilter(e) != nil; got != c.taken {
				t.Errorf("taken %t", got)
			}
			if got := !e.Response.Fields.Has(message.AcceptRanges); got != c.taken {
				t.Errorf("Accept-Ranges dropped %t", got)
			}
		})
	}
}

func TestTheHeadFitsTheNewBody(t *testing.T) {
	cases := []struct{ name, target, response, want string }{
		{"strong", "", "200 OK\nETag: \"x\"\nDigest: a\ncontent-md5: b\nRepr-Digest: c\nServer: d", "ETag: W/\"x\"\nServer: d\n"},
		{"weak", "", "200 OK\nEtag: W/\"x\"", "Etag: W/\"x\"\n"},
		{"not modified elsewhere", "/b", "304 Not Modified\nETag: \"x\"", "ETag: \"x\"\n"},
		{"not modified", "", "304 Not Modified\nETag: \"x\"\nAccept-Ranges: bytes", "ETag: W/\"x\"\nAccept-Ranges: bytes\n"},
		{"left alone", "", "206 Partial Content\nETag: \"x\"\nDigest: a", "ETag: \"x\"\nDigest: a\n"},
	}
	x := plugintest.Build(t, Factory(), "filters = [\"sub_filter 'a' 'b'\"]\npath = \"^/a\"")
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := plugintest.New(t, "GET "+cmp.Or(c.target, "/a"))
			plugintest.SetResponse(t, e, c.response)
			x.Responder.Response(e)
			x.BodyFilterer.BodyFilter(e)
			if got := plugintest.FieldText(e.Response.Fields.List()); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestABodyBeyondTheBoundPassesUnchanged(t *testing.T) {
	x := plugintest.Build(t, Factory(), "filters = [\"subs_filter 'a' 'b' g\"]\nmax_body = 10")
	for _, size := range []int{1, 4, 11, 100} {
		for _, c := range []struct{ body, want string }{
			{strings.Repeat("a", 10), strings.Repeat("b", 10)},
			{strings.Repeat("a", 11), strings.Repeat("a", 11)},
			{strings.Repeat("a", 95), strings.Repeat("a", 95)},
		} {
			if got := filtered(t, x, c.body, size); got != c.want {
				t.Errorf("%d bytes in pieces of %d: %q", len(c.body), size, got)
			}
		}
	}
}

func TestAResultBeyondTheBoundIsNotMade(t *testing.T) {
	const body = "aaaaaaaaaa" // 10 bytes: the result may have 40
	cases := []struct{ name, filters, want string }{
		{"texts need not", `"sub_filter 'a' 'bbbbb' g"`, strings.Repeat("b", 50)},
		{"text fits", `"sub_filter 'a' 'bbbb' g", "subs_filter 'x' 'y'"`, strings.Repeat("b", 40)},
		{"text too long", `"sub_filter 'a' 'bbbbb' g", "subs_filter 'x' 'y'"`, body},
		{"texts that grow too much", `"sub_filter 'a' 'bbbbb' g", "sub_filter 'b' 'cccc' g"`, body},
		{"regex fits", `"subs_filter 'aa' 'bbbb' g"`, strings.Repeat("b", 20)},
		{"regex too long", `"subs_filter 'a' 'bbbbb' g"`, body},
		{"empty matches", `"subs_filter 'x*' 'bbbb' g"`, body},
		{"groups too long", `"subs_filter '(a+)' '$1$1$1$1$1' g"`, body},
		{"first with groups too long", `"subs_filter '(a+)' '$1$1$1$1$1'"`, body},
		{"second rule too long", `"sub_filter 'a' 'c'", "subs_filter 'a' 'bbbbb' g"`, body},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			x := plugintest.Build(t, Factory(), "filters = ["+c.filters+"]\nmax_body = 10")
			if got := filtered(t, x, body, 3); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAnEmptyBodyStaysEmpty(t *testing.T) {
	x := plugintest.Build(t, Factory(), `filters = ["subs_filter '^' 'b'"]`)
	if got := filtered(t, x, "", 1); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	const form = "expected sub_filter 'text' 'replacement' or subs_filter 'regex' 'replacement', then g, i or nothing"
	entry := func(filter, message string) plugintest.RefusedCase {
		return plugintest.RefusedCase{Table: `filters = ["sub_filter 'a' 'b'", "` + filter + `"]`, Key: "filters", Message: "entry 2: " + message}
	}
	ok := "filters = [\"sub_filter 'a' 'b'\"]\n"
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		entry("filter 'a' 'b'", form), entry("", form), entry("sub_filter a b", form), entry("sub_filter 'a'", form),
		entry("sub_filter '' 'b'", form), entry("sub_filter 'a' ''", form), entry("sub_filter 'a' 'b' x", form),
		entry("sub_filter 'it's' 'b'", form), entry("sub_filter 'a' 'b", form),
		entry("sub_filter 'a' 'b' i", "the flag i needs subs_filter"),
		entry("subs_filter '(' 'b'", "regex: error parsing regexp: missing closing ): `(`"),
		{Table: ok + `status_codes = "200,x"`, Key: "status_codes", Message: "expected a comma list of statuses such as 200,201"},
		{Table: ok + `status_codes = "99"`, Key: "status_codes", Message: "expected a comma list of statuses such as 200,201"},
		{Table: ok + `max_body = 0`, Key: "max_body", Message: "expected 1 byte to 1gib"},
		{Table: ok + `max_body = "2gib"`, Key: "max_body", Message: "expected 1 byte to 1gib"},
		{Table: ok + `max_body = "much"`, Key: "max_body", Message: `expected a number of bytes at "much"`},
		{Table: ok + `path = "("`, Key: "path", Message: "error parsing regexp: missing closing ): `(`"},
		{Table: ok + `step = "request"`, Key: "step", Message: `sub_filter has no step "request", expected upstream_response or response`},
		{Table: ok + `step = "upstream_response"`, Key: "step", Message: "with these parameters it does not act at upstream_response"},
		{Table: ``, Key: "filters", Message: "is required: " + Factory().Params[1].Help},
	})
}

func TestAResponseLeftAloneCostsNoAllocation(t *testing.T) {
	x := plugintest.Build(t, Factory(), "filters = [\"sub_filter 'a' 'b'\"]\npath = \"^/b\"")
	e := plugintest.New(t, "GET /a")
	plugintest.SetResponse(t, e, "200 OK")
	if n := testing.AllocsPerRun(100, func() { x.BodyFilterer.BodyFilter(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTextsAreReplacedWhileTheBodyPasses(t *testing.T) {
	x := plugintest.Build(t, Factory(), `filters = ["sub_filter 'internal.example' 'www.example.com' g"]`)
	e := plugintest.New(t, "GET /")
	plugintest.SetResponse(t, e, "200 OK")
	f := x.BodyFilterer.BodyFilter(e)
	steps := []struct {
		piece, want string
		last        bool
	}{
		{"see internal.", "see ", false}, {"example and inter", "www.example.com and ", false},
		{"val", "interval", false}, {strings.Repeat("a", 100_000), strings.Repeat("a", 100_000), false}, {"i", "", false}, {"", "i", true},
	}
	for _, s := range steps {
		got, err := f.Filter(nil, []byte(s.piece), s.last)
		if err != nil || string(got) != s.want {
			t.Fatalf("%.20q: got %.40q, want %.40q, %v", s.piece, got, s.want, err)
		}
	}
}

// Wherever a body is cut into pieces, the result is that of the whole.
func FuzzPieces(f *testing.F) {
	lists := []string{
		`"sub_filter 'ab' 'ba' g"`,
		`"sub_filter 'aab' 'X'", "sub_filter 'X' 'aa' g", "sub_filter 'aaa' 'b' g"`,
		`"sub_filter 'abab' 'ab' g", "sub_filter 'b' 'bbbb' g"`,
		`"subs_filter 'a+b' '<$0>' g", "sub_filter '<a' 'b' g"`,
		`"subs_filter '^a|b$' 'c' gi"`,
	}
	f.Add([]byte("aabaabab"), uint8(1), []byte{1, 2, 3})
	f.Add([]byte("ababababab"), uint8(2), []byte{3})
	f.Add([]byte("aaaaaaaaab\xffab"), uint8(0), []byte{1, 1, 0, 5})
	f.Add([]byte("xaab aab"), uint8(3), []byte{4})
	f.Add([]byte("AbaB"), uint8(4), []byte{})
	f.Fuzz(func(t *testing.T, body []byte, list uint8, cuts []byte) {
		filters := lists[int(list)%len(lists)]
		s := plugintest.Build(t, Factory(), "filters = ["+filters+"]").BodyFilterer.(*subFilter)
		want := string(s.replace(body))
		e := plugintest.New(t, "GET /")
		plugintest.SetResponse(t, e, "200 OK")
		pieces := s.BodyFilter(e)
		var got, piece []byte
		for last := false; !last; {
			n := len(body)
			if len(cuts) > 0 {
				n, cuts = min(n, int(cuts[0])), cuts[1:]
			}
			piece = append(piece[:0], body[:n]...) // memory that is used again, as the proxy does
			body = body[n:]
			last = len(body) == 0 && len(cuts) == 0
			var err error
			if got, err = pieces.Filter(got, piece, last); err != nil {
				t.Fatal(err)
			}
		}
		if string(got) != want {
			t.Fatalf("%s: got %q, want %q", filters, got, want)
		}
	})
}

// filtered sends a body of unknown length through in pieces of size bytes, the last one empty.
func filtered(t *testing.T, x *plugins.Instance, body string, size int) string {
	t.Helper()
	e := plugintest.New(t, "GET /")
	plugintest.SetResponse(t, e, "200 OK")
	f := x.BodyFilterer.BodyFilter(e)
	if f == nil {
		t.Fatal("left alone")
	}
	var sent []byte
	piece := make([]byte, size) // used again for each piece, as the proxy does
	for rest := body; ; {
		n := copy(piece, rest)
		rest = rest[n:]
		var err error
		if sent, err = f.Filter(sent, piece[:n], n == 0); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return string(sent)
		}
	}
}
