package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestExitCodesOfTheCommandLine(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	write(t, filepath.Join(dir, "good.toml"), mockConf("127.0.0.1:0", "x"))
	write(t, filepath.Join(dir, "bad.toml"), "[servers.web]\naddr = \"nowhere\"\n")
	for _, c := range []struct {
		args string
		code int
		text string
	}{
		{"-c good.toml -t", 0, "Validate config success"},
		{"--conf=good.toml --test", 0, "Validate config success"},
		{"-c bad.toml -t", 1, "bad.toml:2: servers.web.addr"},
		{"-c bad.toml --run-dir r --state-dir s", 1, "servers.web.addr"},
		{"-c absent.toml --strict -t", 1, "absent.toml"},
		{"", 2, "-c PATH"},
		{"-c", 2, "needs a value"},
		{"--nonsense", 2, "unknown flag --nonsense"},
		{"nonsense", 2, "unknown command"},
		{"-c good.toml --workers many -t", 2, "expected a number"},
		{"-c good.toml --addr 127.0.0.1:1 -t", 2, "--addr needs --upstream"},
		{"-c good.toml --upstream 127.0.0.1:1 -t", 2, "exclude each other"},
		{"--upgrade -c good.toml --run-dir r", 4, "not running"},
		{"status --run-dir nobody", 4, "not running"},
		{"reload --run-dir nobody", 4, "not running"},
		{"reopen --run-dir nobody", 4, "not running"},
		{"stop --run-dir nobody", 4, "not running"},
		{"--run-dir nobody stop", 4, "not running"},
		{"-V", 0, "pingap "},
		{"--help", 0, "Exit codes"},
		{"help reload", 0, "--wait"},
		{"--template", 0, "[servers.httpServer]"},
	} {
		t.Run(strings.ReplaceAll(c.args, "/", "_"), func(t *testing.T) {
			r := command(t, dir, strings.Fields(c.args)...)
			if r.code != c.code {
				t.Errorf("exit code %d, want %d: %s", r.code, c.code, r.all())
			}
			contains(t, r.all(), c.text)
			if c.code == 2 {
				contains(t, r.stderr, "Try: pingap --help")
			}
		})
	}
}

// A control process that answers nobody is exit code 3, for verbs that only ask.
func TestNoAnswerInTimeIsExitCode3(t *testing.T) {
	t.Parallel()
	i := start(t, mockConf(freePort(t), "x"))
	control := i.status().of("control")[0].PID
	signalPID(t, control, syscall.SIGSTOP)
	defer signalPID(t, control, syscall.SIGCONT)
	for _, verb := range []string{"status", "reload"} {
		if r := i.verb(verb, "--timeout", "500ms"); r.code != 3 {
			t.Errorf("%s: exit code %d: %s", verb, r.code, r.all())
		}
	}
}

func signalPID(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	err := syscall.Kill(pid, s)
	if err == syscall.ESRCH && s == syscall.SIGKILL {
		return // it was ending, and is as dead as is wanted
	}
	if err != nil {
		t.Errorf("signal %v to %d: %v", s, pid, err)
	}
}

func TestVerbsTakeTheRunDirectoryOnEitherSide(t *testing.T) {
	t.Parallel()
	i := start(t, mockConf(freePort(t), "x"))
	for _, args := range [][]string{
		{"status", "--run-dir", i.runDir}, {"--run-dir", i.runDir, "status"}, {"status", "--run-dir=" + i.runDir},
		{"--run-dir", i.runDir, "reload", "--wait"}, {"reload", "--wait", "--run-dir", i.runDir},
	} {
		if r := command(t, i.dir, args...); r.code != 0 {
			t.Errorf("%q: %+v", args, r)
		}
	}
	if r := commandEnv(t, i.dir, []string{"PINGAP_RUN_DIR=" + i.runDir}, "status"); r.code != 0 {
		t.Errorf("by PINGAP_RUN_DIR: %+v", r)
	}
}

// mistakes are configurations as people write them, and what a person has to be told.
func mistakes() []struct{ name, conf, line, key, expected string } {
	const addr = "[servers.web]\naddr = \"127.0.0.1:0\"\nlocations = [\"a\"]\n"
	return []struct{ name, conf, line, key, expected string }{
		{"BrokenText", "[basic]\nname = \"edge\n", ":2:", "basic.name", "not valid TOML"},
		{"WrongType", addr + "[locations.a]\nplugins = \"ping\"\n", ":5:", "locations.a.plugins", "expected a list of strings, found a string"},
		{"UnknownLocation", "[servers.web]\naddr = \"127.0.0.1:0\"\nlocations = [\"apii\"]\n[locations.api]\npath = \"/\"\n", ":3:",
			"servers.web.locations", `did you mean "api"`},
		{"UnknownUpstream", addr + "[locations.a]\nupstream = \"bakend\"\n[upstreams.backend]\naddrs = [\"127.0.0.1:1\"]\n", ":5:",
			"locations.a.upstream", `did you mean "backend"`},
		{"UnknownPlugin", addr + "[locations.a]\nplugins = [\"auth\"]\n", ":5:", "locations.a.plugins", `"auth" is not defined`},
		{"BadExpression", addr + "[locations.a]\npath = \"~^/v([0-9]+\"\n", ":5:", "locations.a.path", "expected a regular expression"},
		{"BadAddress", "[servers.web]\naddr = \"127.0.0.1\"\n", ":2:", "servers.web.addr", "expected host:port"},
		{"SameListenerTwice", "[servers.a]\naddr = \"127.0.0.1:9\"\n[servers.b]\naddr = \"127.0.0.1:9\"\n", ":4:", "servers.b.addr",
			"in use by server a"},
		{"DurationWithoutUnit", addr + "[upstreams.u]\naddrs = [\"127.0.0.1:1\"]\nread_timeout = \"10\"\n", ":6:", "upstreams.u.read_timeout",
			"needs a unit"},
		{"SizeWithUnknownUnit", addr + "[locations.a]\nclient_max_body_size = \"10 megs\"\n", ":5:", "locations.a.client_max_body_size",
			"expected a size such as"},
		{"MissingInclude", addr + "[locations.a]\nincludes = [\"tcpp\"]\n[storages.tcp]\ncategory = \"config\"\nvalue = \"\"\n", ":5:",
			"locations.a.includes", `did you mean "tcp"`},
		{"PluginParameter", "[plugins.m]\ncategory = \"mock\"\nstatus = \"ok\"\n", ":3:", "plugins.m.status", "expected an integer"},
		{"PluginWithoutThatStep", "[plugins.p]\ncategory = \"mock\"\nstep = \"response\"\n", ":3:", "plugins.p.step", "expected request"},
	}
}

func TestEveryMistakeIsExplained(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	for _, m := range mistakes() {
		t.Run(m.name, func(t *testing.T) {
			path := filepath.Join(dir, m.name+".toml")
			write(t, path, m.conf)
			r := command(t, dir, "-c", path, "-t")
			if r.code != 1 {
				t.Errorf("exit code %d", r.code)
			}
			contains(t, r.stderr, m.name+".toml"+m.line, m.key, m.expected)
			t.Log(r.stderr)
		})
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	write(t, filepath.Join(dir, "pingap.toml"), `[servers.web]
addr = "nowhere"
locations = ["gone"]
[locations.a]
path = "~("
weight = -1
`)
	write(t, filepath.Join(dir, "locked.toml"), "")
	r := command(t, dir, "-c", "pingap.toml", "-t")
	contains(t, r.stderr, "pingap.toml:2: servers.web.addr", "pingap.toml:3: servers.web.locations", "pingap.toml:5: locations.a.path",
		"pingap.toml:6: locations.a.weight", "4 errors")
	if r.code != 1 {
		t.Errorf("exit code %d", r.code)
	}
}

func TestUnknownKeysWarnAndFailWithStrict(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	write(t, filepath.Join(dir, "pingap.toml"), "[servers.web]\naddr = \"127.0.0.1:0\"\naccess_logs = \"combined\"\n")
	r := command(t, dir, "-c", "pingap.toml", "-t")
	contains(t, r.stderr, "warning: ", "pingap.toml:3: servers.web.access_logs", `"access_log"`)
	if r.code != 0 {
		t.Errorf("exit code %d", r.code)
	}
	r = command(t, dir, "-c", "pingap.toml", "-t", "--strict")
	contains(t, r.stderr, "error: ", "pingap.toml:3: servers.web.access_logs")
	if r.code != 1 {
		t.Errorf("--strict: exit code %d", r.code)
	}
}

func TestDaemonReturnsWhenServing(t *testing.T) {
	t.Parallel()
	dir, addr := workDir(t), freePort(t)
	write(t, filepath.Join(dir, "pingap.toml"), insert(mockConf(addr, "daemon"), "servers.web", "")+"\n[basic]\nerror_log = \"err.log\"\n")
	run := filepath.Join(dir, "run")
	r := command(t, dir, "-c", "pingap.toml", "-d", "--workers", "2", "--run-dir", run, "--state-dir", filepath.Join(dir, "state"))
	if r.code != 0 {
		t.Fatalf("-d: %+v", r)
	}
	defer func() {
		if r := command(t, dir, "stop", "--run-dir", run); r.code != 0 {
			t.Errorf("stop: %+v", r)
		}
	}()
	if err := want(addr, "/", "daemon"); err != nil {
		t.Errorf("right after -d returned: %v", err)
	}
}

func TestDaemonReturnsTheErrorOfABadConfiguration(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	taken := newBackend(t, "taken")
	write(t, filepath.Join(dir, "bad.toml"), "[servers.web]\naddr = \"nowhere\"\n")
	write(t, filepath.Join(dir, "taken.toml"), mockConf(taken.addr, "x"))
	for conf, text := range map[string]string{"bad.toml": "bad.toml:2: servers.web.addr", "taken.toml": "address already in use"} {
		run := filepath.Join(dir, "run-"+conf)
		r := command(t, dir, "-c", conf, "-d", "--log", "app.log", "--run-dir", run, "--state-dir", dir)
		if r.code != 1 {
			t.Errorf("%s: exit code %d", conf, r.code)
		}
		contains(t, r.all(), text)
		if r := command(t, dir, "status", "--run-dir", run); r.code != 4 {
			t.Errorf("%s: something still runs: %+v", conf, r)
		}
	}
}

func TestTemplateLoads(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	write(t, filepath.Join(dir, "template.toml"), command(t, dir, "--template").stdout)
	if r := command(t, dir, "-c", "template.toml", "-t", "--strict"); r.code != 0 {
		t.Errorf("-t: %+v", r)
	}
}

func TestQuickStart(t *testing.T) {
	t.Parallel()
	one, two, addr := newBackend(t, "one"), newBackend(t, "two"), freePort(t)
	i := launch(t, workDir(t), "--upstream", one.addr+","+two.addr, "--addr", addr, "--workers", "2")
	i.waitRunning()
	for range 10 {
		mustGet(t, addr, "/", 200)
	}
	if one.requests.Load() == 0 || two.requests.Load() == 0 {
		t.Errorf("requests: %d and %d", one.requests.Load(), two.requests.Load())
	}
}

// The mode of `make run`. Its ports are fixed: the test is skipped where somebody has them.
func TestSampleServes(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:6188", "127.0.0.1:6189"} {
		if c, err := connect(addr); err == nil {
			c.close()
			t.Skipf("%s is taken by another process", addr)
		}
	}
	i := launch(t, workDir(t), "--sample", "--workers", "2")
	i.waitRunning()
	addr := "127.0.0.1:6188"
	contains(t, string(mustGet(t, addr, "/", 200).body), "sample upstream: GET /")
	contains(t, string(mustGet(t, addr, "/api/users", 200).body), "GET /users", "X-Sample: api", "X-Forwarded-For: 127.0.0.1")
	contains(t, string(mustGet(t, addr, "/v2/items", 200).body), "GET /v2/items", "X-Version: 2")
	contains(t, string(mustGet(t, addr, "/ping", 200).body), "pong")
	contains(t, string(mustGet(t, addr, "/about", 200).body), "pingap sample")
	if loc := mustGet(t, addr, "/old/page", 307).header.Get("Location"); !strings.Contains(loc, "/new/old/page") {
		t.Errorf("Location %q", loc)
	}
	i.signal(syscall.SIGINT)
	if !i.endsWithin(patience) {
		t.Error("did not end")
	}
	if _, err := connect("127.0.0.1:6189"); err == nil {
		t.Error("the upstream of the sample outlived it")
	}
}

func TestVariablesStandInForFlags(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	write(t, filepath.Join(dir, "pingap.toml"), mockConf("127.0.0.1:0", "x"))
	r := commandEnv(t, dir, []string{"PINGAP_CONF=pingap.toml"}, "-t")
	if r.code != 0 {
		t.Errorf("PINGAP_CONF: %+v", r)
	}
}

// An address that another process has is an error at start, not a proxy that listens on less than it should.
func TestAnAddressInUseFailsTheStart(t *testing.T) {
	t.Parallel()
	taken := newBackend(t, "taken")
	i := launch(t, workDir(t), "--upstream", "127.0.0.1:1", "--addr", taken.addr)
	if !i.endsWithin(patience) || i.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("ended: %v", i.cmd.ProcessState)
	}
	contains(t, i.printed(), taken.addr, "address already in use")
}

// Listening on a unix socket, with a backend on one.
func TestUnixSockets(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	inner, outer := filepath.Join(dir, "inner.sock"), filepath.Join(dir, "outer.sock")
	conf := mockConf("unix:"+inner, "inside") + fmt.Sprintf(`
[servers.outer]
addr = "unix:%s"
locations = ["out"]
[locations.out]
upstream = "in"
[upstreams.in]
addrs = ["unix:%s"]
`, outer, inner)
	path := filepath.Join(dir, "pingap.toml")
	write(t, path, conf)
	i := startIn(t, dir, path)
	// The sockets' mode lets group and owner in; workers may run as another user.
	if err := os.Chmod(inner, 0o666); err != nil {
		t.Fatal(err)
	}
	i.eventually("an answer from inside", func() error { return want(outer, "/", "inside") }) // once control has seen it
	i.verb("stop")
	i.endsWithin(patience)
	for _, p := range []string{inner, outer} {
		if _, err := os.Lstat(p); err == nil {
			t.Errorf("%s is still there", p)
		}
	}
}
