package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test binary play the roles that pingap starts itself in.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if role, ok := roles()[os.Args[1]]; ok {
			os.Exit(role(os.Args[2:], here()))
		}
	}
	// A child built with -race would sleep a second before it ends.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitFailed)
	}
	os.Exit(m.Run())
}

// outcome is what one command line did.
type outcome struct {
	code   int
	out    string
	errors string
}

// command runs a command line with an environment and no running instance.
func command(t *testing.T, env map[string]string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	if env["TMPDIR"] == "" {
		env = with(env, "TMPDIR", t.TempDir())
	}
	code := run(args, surroundings{getenv: func(k string) string { return env[k] }, stdout: &out, stderr: &errs,
		uid: os.Geteuid(), systemRun: filepath.Join(t.TempDir(), "no-system-directory")})
	return outcome{code, out.String(), errs.String()}
}

func with(env map[string]string, key, value string) map[string]string {
	all := map[string]string{key: value}
	for k, v := range env {
		all[k] = v
	}
	return all
}

// write makes a file in a temporary directory.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const goodConfig = `
[servers.web]
addr = "127.0.0.1:6199"
locations = ["l"]
[locations.l]
path = "/"
upstream = "u"
[upstreams.u]
addrs = ["127.0.0.1:9"]
`

func TestExitCodesAndTexts(t *testing.T) {
	good := write(t, goodConfig)
	bad := write(t, strings.Replace(goodConfig, `"/"`, `"~("`, 1)+"[locations.m]\nupstream = \"none\"\n")
	odd := write(t, goodConfig+"unknown = 1\n")
	cases := []struct {
		name   string
		env    map[string]string
		args   []string
		code   int
		out    []string // parts of standard output
		errors []string // parts of standard error
	}{
		{name: "check", args: []string{"-t", "-c", good}, out: []string{"Validate config success"}},
		{name: "check, short flags together", args: []string{"-tc", good}, out: []string{"Validate config success"}},
		{name: "check, configuration from the environment", env: map[string]string{"PINGAP_CONF": good}, args: []string{"-t"},
			out: []string{"Validate config success"}},
		{name: "check, every error", args: []string{"-t", "-c", bad}, code: 1,
			errors: []string{bad + ":6: locations.l.path", bad + ":11: locations.m.upstream", "2 errors"}},
		{name: "check, warning", args: []string{"-t", "-c", odd}, out: []string{"success"}, errors: []string{"warning: " + odd + ":10: upstreams.u.unknown"}},
		{name: "check, strict", args: []string{"-t", "--strict", "-c", odd}, code: 1, errors: []string{odd + ":10: upstreams.u.unknown"}},
		{name: "check, no such file", args: []string{"-t", "-c", good + "x"}, code: 1, errors: []string{"does not exist"}},
		{name: "check, etcd", args: []string{"-t", "-c", "etcd://127.0.0.1:1/p?connect_timeout=100ms&user=u&password=geheim"}, code: 1,
			errors: []string{"etcd://127.0.0.1:1/p?connect_timeout=100ms: "}},
		{name: "check, quick start", args: []string{"-t", "--upstream", "127.0.0.1:90, h:91", "--addr", "127.0.0.1:1"}, out: []string{"success"}},
		{name: "check, quick start with a bad address", args: []string{"-t", "--upstream", "h:x"}, code: 1, errors: []string{"upstreams.pingap.addrs"}},
		{name: "check, sample", args: []string{"-t", "--sample"}, out: []string{"success"}},
		{name: "template", args: []string{"--template", "-c", "/nowhere"}, out: []string{"[servers.httpServer]"}},
		{name: "version", args: []string{"-V"}, out: []string{"pingap " + version + " ("}},
		{name: "help", args: []string{"-h"}, out: []string{"--autoreload", "reload", "Exit codes"}},
		{name: "help of a verb", args: []string{"help", "stop"}, out: []string{"Usage: pingap stop", "--run-dir", "--timeout"}},
		{name: "help by flag", args: []string{"status", "--help"}, out: []string{"Usage: pingap status", "--json"}},

		{name: "nothing to serve", code: 2, errors: []string{"no configuration"}},
		{name: "unknown flag", args: []string{"--nope"}, code: 2, errors: []string{"unknown flag --nope"}},
		{name: "unknown short flag", args: []string{"-tx"}, code: 2, errors: []string{"unknown flag -x"}},
		{name: "missing value", args: []string{"-c"}, code: 2, errors: []string{"-c needs a value"}},
		{name: "empty value", args: []string{"--conf="}, code: 2, errors: []string{"empty"}},
		{name: "empty upstream", args: []string{"--upstream="}, code: 2, errors: []string{"--upstream should not be empty"}},
		{name: "value for a switch", args: []string{"--test=1", "-c", good}, code: 2, errors: []string{"takes no value"}},
		{name: "two sources", args: []string{"-c", good, "--upstream", "h"}, code: 2, errors: []string{"exclude"}},
		{name: "addr alone", args: []string{"-c", good, "--addr", "h"}, code: 2, errors: []string{"--addr needs --upstream"}},
		{name: "bad number", args: []string{"-c", good, "--workers", "many"}, code: 2, errors: []string{"--workers", "expected a number"}},
		{name: "admin without a user", args: []string{"-c", good, "--admin", "127.0.0.1:1"}, code: 2, errors: []string{"no user is named"}},
		{name: "admin with one of the environment", env: map[string]string{"PINGAP_ADMIN_ADDR": "127.0.0.1:1", "PINGAP_ADMIN_USER": "a", "PINGAP_ADMIN_PASSWORD": "b"},
			args: []string{"-t", "-c", good}, out: []string{"success"}},
		{name: "panel only without admin", args: []string{"-c", good, "--cp"}, code: 2, errors: []string{"--cp needs --admin"}},
		{name: "upgrade of nothing", args: []string{"-u", "-c", good}, code: 4, errors: []string{"not running"}},
		{name: "unknown verb", args: []string{"relaod"}, code: 2, errors: []string{`unknown command "relaod"`}},
		{name: "config without a word", args: []string{"config"}, code: 2, errors: []string{"list, show or diff"}},
		{name: "config with an unknown word", args: []string{"config", "drop"}, code: 2, errors: []string{`not "drop"`}},
		{name: "config diff with one number", args: []string{"config", "diff", "1"}, code: 2, errors: []string{"takes two numbers"}},
		{name: "config list with a number", args: []string{"config", "list", "1"}, code: 2, errors: []string{"takes no number"}},
		{name: "config show of what is no number", args: []string{"config", "show", "one"}, code: 2, errors: []string{`"one"`}},
		{name: "secrets of a list", args: []string{"config", "list", "--secrets"}, code: 2, errors: []string{"no meaning"}},
		{name: "rollback to what is no number", args: []string{"rollback", "0"}, code: 2, errors: []string{"expected the number of a version"}},
		{name: "rollback to two", args: []string{"rollback", "1", "2"}, code: 2, errors: []string{"one number at most"}},
		{name: "config that runs nowhere", args: []string{"config", "list"}, code: 4, errors: []string{"not running"}},
		{name: "rollback that runs nowhere", args: []string{"rollback", "--wait", "3"}, code: 4, errors: []string{"not running"}},
		{name: "help of config", args: []string{"help", "config"}, out: []string{"pingap config diff N M", "--secrets"}},
		{name: "verb with an argument", args: []string{"stop", "now"}, code: 2, errors: []string{"takes no argument"}},
		{name: "verb with a flag of another", args: []string{"stop", "--secrets"}, code: 2, errors: []string{"unknown flag --secrets"}},
		{name: "serving flag before a verb", args: []string{"-t", "status"}, code: 2, errors: []string{"--test has no meaning"}},
		{name: "bad time", args: []string{"status", "--timeout", "soon"}, code: 2, errors: []string{"--timeout", "expected a time"}},

		{name: "reload, not running", args: []string{"reload"}, code: 4, errors: []string{"not running"}},
		{name: "status, not running", args: []string{"status", "--json"}, code: 4, errors: []string{"not running"}},
		{name: "reopen, not running", args: []string{"reopen"}, code: 4, errors: []string{"not running"}},
		{name: "stop, not running", args: []string{"stop"}, code: 4, errors: []string{"not running"}},
		{name: "not running, run directory before", args: []string{"--run-dir", t.TempDir(), "status"}, code: 4, errors: []string{"not running"}},
		{name: "not running, run directory behind", args: []string{"status", "--run-dir=" + t.TempDir()}, code: 4, errors: []string{"not running"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := command(t, c.env, c.args...)
			if got.code != c.code {
				t.Errorf("exit code %d, want %d; %q %q", got.code, c.code, got.out, got.errors)
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

func TestTemplateIsAValidConfiguration(t *testing.T) {
	got := command(t, nil, "-t", "-c", write(t, template))
	if got.code != exitDone {
		t.Errorf("%+v", got)
	}
}

// Every flag that can be used is in the help, none that comes later is.
func TestHelpListsTheFlags(t *testing.T) {
	help := serveHelp()
	for _, f := range serveFlags() {
		if listed := strings.Contains(help, "--"+f.long); listed != (f.later == "") {
			t.Errorf("--%s: listed %v, later %q", f.long, listed, f.later)
		}
		if f.later == "" && (f.help == "" || f.set == nil) {
			t.Errorf("--%s has no help or no effect", f.long)
		}
		if f.env != "" && !strings.HasPrefix(f.env, "PINGAP_") {
			t.Errorf("--%s: variable %s", f.long, f.env)
		}
	}
}
