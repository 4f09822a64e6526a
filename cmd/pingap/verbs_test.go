package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pingap/ipc"
)

// fakeInstance stands for a running pingap: answer decides what a client gets; nil
// is silence.
func fakeInstance(t *testing.T, answer func(ipc.Body) ipc.Body) (runDir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pingap-verbs") // short: sockets have 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(dir, socketName), Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	file, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	acceptor, err := ipc.AcceptorFromFD(fd)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := acceptor.Accept(ctx)
			if err != nil {
				return
			}
			wg.Go(func() { serveFake(ctx, conn, answer) })
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		acceptor.Close()
		listener.Close()
		os.RemoveAll(dir)
	})
	return dir
}

func serveFake(ctx context.Context, conn *ipc.Conn, answer func(ipc.Body) ipc.Body) {
	defer conn.Close()
	for {
		m, err := conn.Receive(ctx)
		if err != nil {
			return
		}
		if a := answer(m.Body); a != nil && conn.Send(ctx, m.Txn, a) != nil {
			return
		}
	}
}

// part is the only part of a document.
func part(text string) *ipc.ConfigPart { return &ipc.ConfigPart{Data: []byte(text), Total: len(text)} }

func TestVerbsReportWhatTheInstanceAnswers(t *testing.T) {
	applied := &ipc.Applied{Version: 3, SHA: "0123456789abcdef", Workers: 2, Took: 12 * time.Millisecond, Warnings: []string{"w1"},
		Changes: []ipc.Change{{Object: "upstream:api", Class: ipc.ClassHot}}}
	cases := []struct {
		name   string
		args   []string
		answer ipc.Body
		code   int
		out    []string
		errors []string
	}{
		{"reload, applied", []string{"reload"}, applied, 0,
			[]string{"applied: version 3 (0123456789ab), hot, 1 changes, 2 workers, 12ms", "upstream:api"}, []string{"warning: w1"}},
		{"reload and wait", []string{"reload", "--wait"}, applied, 0, []string{"applied"}, nil},
		{"reload, unchanged", []string{"reload"}, &ipc.Applied{Version: 3, SHA: "01", Unchanged: true}, 0, []string{"unchanged: version 3 (01)"}, nil},
		{"reload, errors", []string{"reload"}, &ipc.Refused{Reason: "the configuration has 2 errors", Errors: []string{"a:1: x", "a:2: y"}}, 1,
			nil, []string{"refused: the configuration has 2 errors", "  a:1: x\n", "  a:2: y\n"}},
		{"reload, a worker refuses", []string{"reload"}, &ipc.Refused{Worker: "worker 1 (pid 7)", Path: "locations.a", Reason: "no"}, 1,
			nil, []string{"refused: worker 1 (pid 7): locations.a: no"}},
		{"reload, silence", []string{"reload", "--timeout", "50ms"}, nil, 3, nil, []string{"no answer in time (50ms)"}},
		{"reload, another version", []string{"reload"}, &ipc.Unknown{Of: ipc.TypeReload}, 1, nil, []string{"another version"}},
		{"reopen", []string{"reopen"}, &ipc.Reopened{Paths: []string{"/var/log/a"}}, 0, []string{"/var/log/a\n"}, nil},
		{"reopen, partly", []string{"reopen"}, &ipc.Reopened{Paths: []string{"/a"}, Errors: []string{"b stays"}}, 1, []string{"/a"}, []string{"b stays"}},
		{"reopen, silence and no pid file", []string{"reopen", "--timeout=50ms"}, nil, 3, nil, []string{"no answer"}},
		{"status, silence", []string{"status", "--timeout=50ms"}, nil, 3, nil, []string{"no answer"}},
		{"status, wrong answer", []string{"status"}, &ipc.Ready{}, 1, nil, []string{"unexpected"}},
		{"rollback, applied", []string{"rollback", "1", "--wait"}, applied, 0, []string{"applied: version 3 (0123456789ab), hot"}, []string{"warning: w1"}},
		{"rollback, refused", []string{"rollback"}, &ipc.Refused{Reason: "version 1 is not kept"}, 1, nil, []string{"refused: version 1 is not kept"}},
		{"rollback, silence", []string{"rollback", "--timeout=50ms"}, nil, 3, nil, []string{"no answer"}},
		{"config, silence", []string{"config", "list", "--timeout=50ms"}, nil, 3, nil, []string{"no answer"}},
		{"config, refused", []string{"config", "show", "9"}, &ipc.Refused{Reason: "version 9 is not kept"}, 1, nil, []string{"refused: version 9"}},
		{"config, another version", []string{"config", "list"}, &ipc.Unknown{Of: ipc.TypeConfigRead}, 1, nil, []string{"another version"}},
		{"config list", []string{"config", "list"}, part(`{"live":2,"versions":[{"number":1,"sha":"0123456789abcdef","by":"start",
			"changes":[{"object":"a"},{"object":"b"},{"object":"c"},{"object":"d"}],"more":2},{"number":2}]}`), 0,
			[]string{"VERSION", "1 ", "0123456789ab ", "start", "a, b, c, 3 more", "2 live"}, nil},
		{"config list, json", []string{"config", "--json", "list"}, part(`{"live":2,"versions":[]}`), 0, []string{`"live": 2`, `"versions": []`}, nil},
		{"config show", []string{"config", "show", "2"}, part(`{"number":2,"sha":"ab","copy_of":1,"by":"x\ny","source":"/p.toml","config":"[basic]\n"}`), 0,
			[]string{"# version 2 (ab), a copy of version 1, live since", "by x?y\n", "# loaded from /p.toml\n\n[basic]\n"}, nil},
		{"config diff", []string{"config", "diff", "1", "2"}, part(`{"from":1,"to":2,"changes":[{"object":"upstream:u","op":"changed","class":"hot",
			"keys":[{"key":"algo","new":"\"x\""},{"key":"sni","old":"\"y\""}]}]}`), 0,
			[]string{"changed upstream:u (hot)\n  + algo = \"x\"\n  - sni = \"y\"\n"}, nil},
		{"config diff, equal", []string{"config", "diff", "1", "2"}, part(`{"changes":[]}`), 0, []string{""}, nil},
		{"upstream list", []string{"upstream", "list"}, part(`{"upstreams":[{"name":"api","problems":["no\u001bname server"],"backends":[
			{"address":"10.0.0.1:80","weight":5,"backup":true,"from":"x.test","health":"unhealthy","reason":"refused","admin":"drain","by":"uid 0",
			"breaker":"open","open_for":7000000000,"ejected_for":3000000000,"in_flight":4},
			{"address":"10.0.0.2:80","weight":1,"health":"healthy","admin":"up","in_flight":-1}]},{"name":"empty","backends":[]}]}`), 0,
			[]string{"10.0.0.1:80", "5 backup", "unhealthy", "drain (uid 0", "breaker open, 7s more; ejected, 3s more", "4 ", "x.test", "no backends", "api: no?name server"}, nil},
		{"upstream list, json", []string{"upstream", "list", "api", "--json"}, part(`{"upstreams":[{"name":"api","backends":[{"address":"a","in_flight":4}]}]}`), 0,
			[]string{`"in_flight": 4`}, nil},
		{"upstream list, refused", []string{"upstream", "list", "x"}, &ipc.Refused{Reason: "there is no upstream \"x\"; there are: api"}, 1, nil, []string{"there are: api"}},
		{"upstream drain", []string{"upstream", "drain", "api", "10.0.0.1:80"}, &ipc.UpstreamChanged{Address: "10.0.0.1:80"}, 0, []string{"drain: 10.0.0.1:80 of api\n"}, nil},
		{"upstream up, of one that is away", []string{"upstream", "down", "api", "a"}, &ipc.UpstreamChanged{Address: "a", Absent: true}, 0, []string{"in no list now"}, nil},
		{"upstream drain again", []string{"upstream", "drain", "api", "a"}, &ipc.UpstreamChanged{Address: "a", Before: ipc.AdminDrain}, 0, []string{"unchanged: a of api"}, nil},
		{"upstream drain, not told", []string{"upstream", "drain", "api", "a"}, &ipc.UpstreamChanged{Address: "a", Problem: "not all workers"}, 3, nil, []string{"not all workers"}},
		{"upstream drain, another version", []string{"upstream", "drain", "api", "a"}, &ipc.Unknown{Of: ipc.TypeUpstreamAdmin}, 1, nil, []string{"another version"}},
		{"upstream drain, silence", []string{"upstream", "drain", "api", "a", "--timeout=50ms"}, nil, 3, nil, []string{"no answer"}},
		{"upstream without a word", []string{"upstream"}, &ipc.Ready{}, 2, nil, []string{"list, drain, up or down"}},
		{"upstream drain of nothing", []string{"upstream", "drain", "api"}, &ipc.Ready{}, 2, nil, []string{"NAME and ADDR"}},
		{"reload, json", []string{"reload", "--json"}, applied, 0, []string{`"version": 3`, `"sha": "0123456789abcdef"`, `"class": "hot"`, `"object": "upstream:api"`, `"workers": 2`,
			`"took_ms": 12`, `"w1"`}, nil},
		{"reload, errors, json", []string{"reload", "--json"}, &ipc.Refused{Reason: "2 errors", Errors: []string{"a:1: x"}}, 1, []string{`"message": "2 errors"`, `"a:1: x"`}, []string{"refused"}},
		{"rollback, json", []string{"rollback", "--json"}, &ipc.Applied{Version: 3, Unchanged: true}, 0, []string{`"unchanged": true`, `"changes": []`}, nil},
		{"roll, json", []string{"roll", "--json"}, &ipc.Applied{Version: 3, Workers: 2}, 0, []string{`"workers": 2`}, nil},
		{"upgrade, json", []string{"upgrade", "--json"}, &ipc.Upgraded{PID: 7, Build: "b", Took: time.Second}, 0, []string{`"pid": 7`, `"build": "b"`, `"took_ms": 1000`}, nil},
		{"reopen, json", []string{"reopen", "--json"}, &ipc.Reopened{Paths: []string{"/a"}, Errors: []string{"b stays"}}, 1, []string{`"/a"`, `"b stays"`}, nil},
		{"upstream drain, json", []string{"upstream", "drain", "api", "a", "--json"}, &ipc.UpstreamChanged{Address: "a:1", Before: ipc.AdminDown}, 0,
			[]string{`"upstream": "api"`, `"address": "a:1"`, `"admin": "drain"`, `"before": "down"`, `"absent": false`}, nil},
		{"stop, json, refused", []string{"stop", "--json"}, &ipc.Refused{Reason: "busy"}, 1, nil, []string{"refused: busy"}},
		{"stop, refused", []string{"stop"}, &ipc.Refused{Reason: "busy"}, 1, nil, []string{"refused: busy"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := fakeInstance(t, func(ipc.Body) ipc.Body { return c.answer })
			got := command(t, map[string]string{"PINGAP_RUN_DIR": dir}, c.args...)
			if got.code != c.code {
				t.Errorf("exit code %d, want %d: %+v", got.code, c.code, got)
			}
			for _, part := range c.out {
				if !strings.Contains(got.out, part) {
					t.Errorf("output %q lacks %q", got.out, part)
				}
			}
			for _, part := range c.errors {
				if !strings.Contains(got.errors, part) {
					t.Errorf("errors %q lack %q", got.errors, part)
				}
			}
		})
	}
}

func TestStatusShowsConfigurationAndProcesses(t *testing.T) {
	all := &ipc.StatusAll{State: "running", Version: 2, SHA: "abcdef0123456789", Build: "b", Hurried: 6, Degraded: []string{"worker 1 is not active"},
		Listeners: []ipc.Listener{{ID: "l-1", Network: "tcp4", Address: "127.0.0.1:80", Server: "web"}},
		LastApply: &ipc.ApplyResult{RequestedBy: "SIGHUP", Error: "no"},
		Processes: []ipc.Process{
			{Kind: "supervisor", PID: 10, State: "running", Uptime: 1500 * time.Millisecond},
			{Kind: "worker", PID: 12, Slot: 1, Generation: 4, State: "active", Restarts: 1, LastExit: "signal: killed",
				Status: &ipc.Status{Connections: map[string]int64{"idle": 3, "active": 2}, Requests: 99, RSS: 3 << 20}},
		}}
	dir := fakeInstance(t, func(ipc.Body) ipc.Body { return all })

	text := command(t, nil, "--run-dir", dir, "status")
	for _, part := range []string{"running, configuration version 2 (abcdef012345)", "degraded: worker 1", "by SIGHUP: refused: no", "127.0.0.1:80 (web)", "3.0 MiB"} {
		if text.code != 0 || !strings.Contains(text.out, part) {
			t.Errorf("status (%d) %q lacks %q", text.code, text.out, part)
		}
	}
	got := command(t, nil, "status", "--json", "--run-dir", dir)
	var st struct {
		State  string
		Config struct {
			Version int
			SHA     string
		}
		Processes []map[string]any
	}
	if err := json.Unmarshal([]byte(got.out), &st); err != nil {
		t.Fatal(err, got)
	}
	if st.State != "running" || st.Config.Version != 2 || st.Config.SHA != all.SHA || len(st.Processes) != 2 {
		t.Fatalf("%s", got.out)
	}
	want := map[string]any{"kind": "worker", "pid": 12.0, "slot": 1.0, "generation": 4.0, "state": "active", "uptime": 0.0,
		"connections": 5.0, "requests": 99.0, "memory": float64(3 << 20), "restarts": 1.0, "last_exit": "signal: killed"}
	for key, value := range want {
		if st.Processes[1][key] != value {
			t.Errorf("%s = %v, want %v", key, st.Processes[1][key], value)
		}
	}
	metrics := command(t, nil, "status", "--metrics", "--run-dir", dir)
	for _, line := range []string{"# TYPE pingap_hurried_workers_total counter", "pingap_hurried_workers_total 6", "pingap_config_version 2", "pingap_draining_generations 0",
		`pingap_process_requests_total{kind="worker",slot="1",generation="4",state="active",pid="12"} 99`} {
		if metrics.code != 0 || !strings.Contains(metrics.out, line+"\n") {
			t.Errorf("metrics (%d) %q lack %q", metrics.code, metrics.out, line)
		}
	}
}

// own writes a process's id into the pid file of a run directory.
func own(t *testing.T, dir string, cmd *exec.Cmd) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, pidName), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestStopWaitsUntilTheInstanceHasEnded(t *testing.T) {
	cmd := sleeper(t)
	dir := fakeInstance(t, func(b ipc.Body) ipc.Body {
		if stop, ok := b.(*ipc.Stop); ok && stop.Fast {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			return &ipc.Stopping{Timeout: patience}
		}
		return &ipc.Refused{Reason: "expected a fast stop"}
	})
	own(t, dir, cmd)
	if got := command(t, nil, "stop", "--fast", "--run-dir", dir); got.code != 0 || got.out != "stopped\n" {
		t.Errorf("%+v", got)
	}
}

const patience = 30 * time.Second

func TestStopSaysThatItTakesTooLong(t *testing.T) {
	cmd := sleeper(t)
	dir := fakeInstance(t, func(ipc.Body) ipc.Body { return &ipc.Stopping{Timeout: time.Hour} })
	own(t, dir, cmd)
	if got := command(t, nil, "stop", "--timeout", "50ms", "--run-dir", dir); got.code != 3 {
		t.Errorf("%+v", got)
	}
}

// With control dead the supervisor is told by signal, through its pid file.
func TestStopAndReopenFallBackToSignals(t *testing.T) {
	dir := t.TempDir() // nobody listens
	cmd := sleeper(t)
	own(t, dir, cmd)
	if got := command(t, nil, "stop", "--run-dir", dir); got.code != 0 || !strings.Contains(got.errors, "told pid") {
		t.Errorf("stop: %+v", got)
	}
	cmd = sleeper(t)
	own(t, dir, cmd)
	if got := command(t, nil, "reopen", "--run-dir", dir); got.code != 0 || !strings.Contains(got.errors, "SIGUSR1") {
		t.Errorf("reopen: %+v", got)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGUSR1 {
		t.Errorf("the process ended with %v, want SIGUSR1", err)
	}
}
