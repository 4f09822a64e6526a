package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// explainConfig explains by a configuration that nothing serves.
func explainConfig(t *testing.T, path string, args ...string) (explained, result) {
	t.Helper()
	r := command(t, filepath.Dir(path), append([]string{"explain", "--config", path, "--json"}, args...)...)
	var e explained
	if r.code == 0 {
		if err := json.Unmarshal([]byte(r.stdout), &e); err != nil {
			t.Fatalf("%q: %v in %s", args, err, r.stdout)
		}
	}
	return e, r
}

// What a configuration would do is told without starting it, and is what it then does.
func TestExplainOfAConfigurationAgreesWithTheInstanceThatServesIt(t *testing.T) {
	dir := workDir(t)
	x := &explainer{t: t, addr: freePort(t), log: filepath.Join(dir, "access.log")}
	path := filepath.Join(dir, "pingap.toml")
	write(t, path, explainedConf(x.addr, x.log, filesFor(t, dir), echoOrigin(t), "localhost:"+lastPort(echoOrigin(t)), echoOrigin(t), deadPort(t)))
	var before []explained
	var cases []explainedCase
	for i, c := range explainedCases() {
		if i%3 != 0 || strings.HasPrefix(c.target, "/limited") { // counts are of an instance that runs
			continue
		}
		e, r := explainConfig(t, path, append([]string{c.method, "http://" + x.addr + c.target}, headerFlags(c)...)...)
		if r.code != 0 {
			t.Fatalf("%v: %s", c, r.all())
		}
		before, cases = append(before, e), append(cases, c)
	}
	x.i = startIn(t, dir, path)
	x.settle()
	for i, c := range cases {
		then, now := before[i], x.explain(c)
		if then.Location != now.Location || (then.Answer == nil) != (now.Answer == nil) || then.Answer != nil && *then.Answer != *now.Answer ||
			(then.Rewrite == nil) != (now.Rewrite == nil) || then.Rewrite != nil && *then.Rewrite != *now.Rewrite {
			t.Errorf("%v: before %q %+v %+v, then %q %+v %+v", c, then.Location, then.Rewrite, then.Answer, now.Location, now.Rewrite, now.Answer)
		}
	}
}

func headerFlags(c explainedCase) []string {
	var flags []string
	for _, h := range c.headers {
		flags = append(flags, "-H", h)
	}
	return flags
}

func lastPort(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

func TestExplainSaysWhatIsWrong(t *testing.T) {
	dir := workDir(t)
	bad, good := filepath.Join(dir, "bad.toml"), filepath.Join(dir, "good.toml")
	write(t, bad, "[servers.web]\naddr = \"127.0.0.1:1x\"\nlocations = [\"none\"]\n")
	write(t, good, mockConf("127.0.0.1:6111", "x"))
	tested := command(t, dir, "-c", bad, "-t")
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"--config", bad, "http://127.0.0.1/"}, 1, tested.stderr},
		{[]string{"--config", good, "http://127.0.0.1:7111/"}, 1, "nothing listens for http on port 7111: there is web (http on 127.0.0.1:6111)"},
		{[]string{"--config", good, "https://127.0.0.1/"}, 1, "nothing listens for https"},
		{[]string{"--config", good, "ftp://127.0.0.1/"}, 1, "http:// or https://"},
		{[]string{"--config", good, "http://user@127.0.0.1/"}, 1, "has a user"},
		{[]string{"--config", good, "http://127.0.0.1/", "--client", "nobody"}, 1, "no address"},
		{[]string{"--config", good, "http://127.0.0.1/", "-H", "nothing"}, 2, "expected 'Name: value'"},
		{[]string{"--config", good}, 2, "a method and a URL"},
		{[]string{"--config", good, "http://127.0.0.1/", "--server", "none"}, 1, `there is no server "none"`},
		{[]string{"--config", good, "http://127.0.0.1/a b"}, 0, "answer    400, made here"},
		{[]string{"--config", good, "GET", "http://127.0.0.1/"}, 0, "answer    200, made here: mock"},
		{[]string{"http://127.0.0.1/", "--run-dir", filepath.Join(dir, "none")}, 4, "not running"},
	} {
		r := command(t, dir, append([]string{"explain"}, c.args...)...)
		if r.code != c.code || !strings.Contains(r.all(), c.text) {
			t.Errorf("%q: exit code %d: %s", c.args, r.code, r.all())
		}
	}
}

// Keys and passwords of the configuration are in no explanation.
func TestExplainTellsNoSecrets(t *testing.T) {
	dir := workDir(t)
	path := filepath.Join(dir, "pingap.toml")
	write(t, path, insert(insert(proxyConf("127.0.0.1:6112", "127.0.0.1:6113"), "locations.all",
		"plugins = [\"partners\"]\nproxy_set_headers = [\"X-From-Env:$EXPLAINED\", \"Authorization:Bearer hunter2\", \"X-Plain:seen\", \"X-Listed:hunter2\"]"), "servers.web", "")+
		"[plugins.partners]\ncategory = \"key_auth\"\nheader = \"X-Api-Key\"\nkeys = [\"hunter2\"]\n[basic]\nlog_redact_headers = [\"x-listed\"]\n")
	for _, key := range []string{"wrong", "hunter2"} {
		r := commandEnv(t, dir, []string{"EXPLAINED=hunter2"}, "explain", "http://127.0.0.1:6112/", "-H", "X-Api-Key: "+key, "--config", path)
		if r.code != 0 || strings.Contains(r.all(), "hunter2") {
			t.Errorf("exit code %d: %s", r.code, r.all())
		}
		if key == "hunter2" {
			contains(t, r.stdout, "X-Plain: seen", "X-From-Env: ***", "Authorization: ***", "X-Listed: ***")
		}
	}
}
