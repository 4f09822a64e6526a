package combinedauth

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"pingap/plugins"
	"pingap/plugins/plugintest"
)

const table = `
[[authorizations]]
app_id = "a"
secret = "s"
deviation = 60
ip_list = ["192.0.2.1", "2001:db8::/32"]
[[authorizations]]
app_id = "b"
secret = "*"
ip_list = ["198.51.100.1"]
[[authorizations]]
app_id = "c"
secret = "$ENV:SECRET"
deviation = 1
`

func TestOnlyListedApplicationsPass(t *testing.T) {
	now := time.Now().Unix()
	query := func(id, secret string, ts int64) string {
		return fmt.Sprintf("app_id=%s&ts=%d&digest=%s", id, ts, digest(secret, ts))
	}
	cases := []struct{ name, query, ip, message string }{ // no message: passes
		{"signed", query("a", "s", now), "", ""},
		{"upper case", "app_id=a&ts=" + strconv.FormatInt(now, 10) + "&digest=" + strings.ToUpper(digest("s", now)), "", ""},
		{"a little late", query("a", "s", now-50), "", ""},
		{"a little early", query("a", "s", now+50), "", ""},
		{"IPv6", query("a", "s", now), "2001:db8::5", ""},
		{"IPv4 in IPv6", query("a", "s", now), "::ffff:192.0.2.1", ""},
		{"nothing asked", "app_id=b", "203.0.113.5", ""},
		{"secret of the environment, any address", query("c", "env SECRET", now), "203.0.113.5", ""},
		{"no query", "", "", "app id is empty"},
		{"empty", "app_id=&ts=1", "", "app id is empty"},
		{"unknown", query("A", "s", now), "", "app id is invalid"},
		{"address first", "app_id=a", "192.0.2.2", "ip is invalid"},
		{"no address", query("a", "s", now), "unix", "ip is invalid"},
		{"no time", "app_id=a&digest=" + digest("s", now), "", "timestamp is empty"},
		{"no number", "app_id=a&ts=1x", "", "invalid digit found in string"},
		{"number too large", "app_id=a&ts=99999999999999999999999", "", "invalid digit found in string"},
		{"far past", query("a", "s", -1<<63), "", "timestamp deviation is invalid"},
		{"far future", query("a", "s", 1<<63-1), "", "timestamp deviation is invalid"},
		{"late", query("a", "s", now-70), "", "timestamp deviation is invalid"},
		{"early", query("a", "s", now+70), "", "timestamp deviation is invalid"},
		{"no digest", fmt.Sprintf("app_id=a&ts=%d", now), "", "digest is empty"},
		{"short digest", fmt.Sprintf("app_id=a&ts=%d&digest=ab", now), "", "digest is invalid"},
		{"no hexadecimal", fmt.Sprintf("app_id=a&ts=%d&digest=%064s", now, "x"), "", "digest is invalid"},
		{"another secret", query("a", "S", now), "", "digest is invalid"},
		{"another time", fmt.Sprintf("app_id=a&ts=%d&digest=%s", now, digest("s", now-1)), "", "digest is invalid"},
		{"first pair counts", "app_id=a&app_id=b", "", "timestamp is empty"},
	}
	x := plugintest.Build(t, Factory(), table)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := plugintest.New(t, "GET /?"+c.query)
			switch c.ip {
			case "":
			case "unix":
				e.ClientIP = netip.Addr{}
			default:
				e.ClientIP = netip.MustParseAddr(c.ip)
			}
			check(t, x.Decider.Decide(e), c.message)
		})
	}
}

func check(t *testing.T, d plugins.Decision, message string) {
	t.Helper()
	if message == "" {
		if d.Answer != nil {
			t.Errorf("refused: %s", d.Answer.Body)
		}
		return
	}
	if d.Answer == nil {
		t.Fatal("passed")
	}
	want := "Plugin combined_auth invalid, message: " + message
	if a := d.Answer; a.Status != 401 || string(a.Body) != want || plugintest.Field(a, "Cache-Control") != "private, no-store" {
		t.Errorf("answer %d %q, want %q", a.Status, a.Body, want)
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	const app = "[[authorizations]]\napp_id = \"a\"\nsecret = \"s\"\ndeviation = 5\n"
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: ``, Key: "authorizations", Message: "is required: Who may pass, a table each."},
		{Table: `authorizations = []`, Key: "authorizations", Message: "expected at least one table"},
		{Table: `authorizations = ["a"]`, Key: "authorizations", Message: "entry 1: expected a table, found text"},
		{Table: app + "x = 1", Key: "authorizations[0].x", Message: "authorizations has no such key"},
		{Table: app + "ip_list = [\"192.0.2.1\", \"x\"]", Key: "authorizations[0].ip_list", Message: "entry 2: expected an address or a network such as 192.0.2.0/24"},
		{Table: app + app, Key: "authorizations[1].app_id", Message: "another table has this app_id"},
		{Table: strings.Replace(app, "= 5", "= 0", 1), Key: "authorizations[0].deviation", Message: "expected 1 to 315360000, found 0"},
		{Table: strings.Replace(app, "deviation = 5", "", 1), Key: "authorizations[0].deviation", Message: "is required: how far the time of a request may be from ours, in seconds"},
		{Table: app + "[[authorizations]]\napp_id = \"b\"\ndeviation = 5", Key: "authorizations[1].secret",
			Message: "is required: What the application signs with. \"*\" lets it pass without any check but that of its name."},
	})
}

func TestPassingDoesNotAllocate(t *testing.T) {
	x := plugintest.Build(t, Factory(), table)
	now := time.Now().Unix()
	e := plugintest.New(t, fmt.Sprintf("GET /?app_id=a&ts=%d&digest=%s", now, digest("s", now)))
	if n := testing.AllocsPerRun(10, func() { x.Decider.Decide(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzNoQueryPassesUnsigned(f *testing.F) {
	for _, seed := range []string{"app_id=a&ts=1700000000&digest=" + digest("S", 1700000000), "app_id=a&ts=&digest=", "app_id", "&&=", "app_id=a&ts=-1&digest=" + strings.Repeat("0", 64)} {
		f.Add(seed)
	}
	plugin := &combinedAuth{apps: map[string]*app{"a": {secret: []byte("s:"), deviation: 60}}}
	f.Fuzz(func(t *testing.T, query string) {
		e := &plugins.Exchange{}
		e.Request.SetTarget([]byte("/?" + query))
		const now = 1700000000
		r := plugin.judge(e, now)
		ts, _ := e.Request.QueryValue("ts")
		given, _ := e.Request.QueryValue("digest")
		if want := sha256.Sum256([]byte("s:" + string(ts))); r == none && !strings.EqualFold(string(given), hex.EncodeToString(want[:])) {
			t.Errorf("%q passes", query)
		}
		if r < none || r >= reasons || r.String() == "" {
			t.Errorf("reason %d", r)
		}
	})
}

func digest(secret string, ts int64) string {
	sum := sha256.Sum256([]byte(secret + ":" + strconv.FormatInt(ts, 10)))
	return hex.EncodeToString(sum[:])
}
