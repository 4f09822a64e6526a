package refererrestriction

import (
	"bytes"
	"strings"
	"testing"

	"pingap/message"
	"pingap/plugins"
	"pingap/plugins/plugintest"
)

const list = `referer_list = ["Example.com", "*.example.org", "*shop.test", "[2001:db8::1]", "192.0.2.1"]` + "\n"

func TestRequestsPassByTheReferringHost(t *testing.T) {
	cases := []struct {
		referer string
		listed  bool
	}{
		{"https://example.com/", true}, {"http://example.com", true}, {"https://EXAMPLE.com:8443/a?b#c", true},
		{"https://example.com.", true}, {"https://example.com?x", true}, {"https://example.com#x", true},
		{"https://www.example.com/", false}, {"https://example.com.evil.test/", false}, {"https://notexample.com/", false},
		{"https://www.example.org/", true}, {"https://a.b.example.org/", true}, {"https://example.org/", false}, {"https://xexample.org/", false},
		{"https://shop.test/", true}, {"https://myshop.test/", true},
		{"https://[2001:db8::1]:81/", true}, {"https://[2001:db8::2]/", false}, {"http://192.0.2.1:80/", true},
		{"https://example.com@evil.test/", false}, {"https://user:pass@example.com/", true}, {"https://evil.test/@example.com", false},
		{`https://evil.test\@example.com/`, false}, {`https://evil.test\.example.org`, false},
		{"https://evil.test?.example.org", false}, {"https://evil.test#.example.org", false},
		{"example.com", false}, {"/example.com", false}, {"https://", false}, {"https:///example.com", false}, {"about:blank", false},
		{"https://exa mple.com/", false}, {"https://ex%61mple.com/", false}, {"https://" + strings.Repeat("a", 300) + ".example.org/", false},
	}
	allow, deny := plugintest.Build(t, Factory(), list), plugintest.Build(t, Factory(), list+`type = "deny"`)
	for _, c := range cases {
		for x, passes := range map[*plugins.Instance]bool{allow: c.listed, deny: !c.listed} {
			d := x.Decider.Decide(plugintest.New(t, "GET /\nReferer: "+c.referer))
			if (d.Answer == nil) != passes {
				t.Errorf("%q: %+v", c.referer, d)
			}
			if d.Answer != nil && (d.Answer.Status != 403 || string(d.Answer.Body) != "Request is forbidden") {
				t.Errorf("%q: %+v", c.referer, d.Answer)
			}
		}
	}
}

func TestARequestWithoutRefererIsNotFound(t *testing.T) {
	for table, passes := range map[string]bool{
		list: false, list + `type = "deny"`: true, `referer_list = ["*"]`: false, "referer_list = [\"*\"]\ntype = \"deny\"": true, "": false,
	} {
		d := plugintest.Build(t, Factory(), table).Decider.Decide(plugintest.New(t, "GET /\nHost: example.com"))
		if (d.Answer == nil) != passes {
			t.Errorf("%q: %+v", table, d)
		}
	}
	if d := plugintest.Build(t, Factory(), `referer_list = ["*"]`).Decider.Decide(plugintest.New(t, "GET /\nReferer: http://a")); d.Answer != nil {
		t.Errorf("any host: %+v", d)
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	const form = "expected a host such as example.com or *.example.com, without scheme, port and path, names of other scripts in punycode"
	var cases []plugintest.RefusedCase
	for _, entry := range []string{"", "https://a", "a:80", "a/b", "a b", "a*", "**.a", "bücher.de"} {
		cases = append(cases, plugintest.RefusedCase{Table: `referer_list = ["a", "` + entry + `"]`, Key: "referer_list", Message: "entry 2: " + form})
	}
	cases = append(cases, plugintest.RefusedCase{Table: `type = "x"`, Key: "type", Message: `expected allow or deny, found "x"`})
	plugintest.Refused(t, Factory(), cases)
}

func TestDecidingDoesNotAllocate(t *testing.T) {
	x := plugintest.Build(t, Factory(), list+`type = "deny"`)
	for _, referer := range []string{"https://Other.test/a", "https://" + strings.Repeat("a", 300)} {
		e := plugintest.New(t, "GET /\nReferer: "+referer)
		if n := testing.AllocsPerRun(100, func() { x.Decider.Decide(e) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

// What is taken for a host is one, whatever a client sends.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{"https://example.com/", `https://a\@b`, "://[::1]:8", "http://a@b:c@d:e/", "://.", "://]", "://@"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, url []byte) {
		host := appendHost(nil, url)
		if len(host) > maxHost || !plain(host) || bytes.ContainsAny(host, "/\\?#@") || !bytes.Equal(host, bytes.ToLower(host)) {
			t.Fatalf("%q: host %q", url, host)
		}
		if again := appendHost(nil, append([]byte("https://"), host...)); !bytes.HasSuffix(host, []byte(".")) && message.ValidToken(host) && !bytes.Equal(again, host) {
			t.Fatalf("%q: host %q becomes %q", url, host, again)
		}
	})
}
