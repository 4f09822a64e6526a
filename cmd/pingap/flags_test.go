package main

import (
	"reflect"
	"slices"
	"testing"

	"pingap/control"
)

func TestFlags(t *testing.T) {
	type env = map[string]string
	cases := []struct {
		name string
		env  env
		args []string
		want options
	}{
		{"attached and separate", nil, []string{"--conf=a", "--log", "b"}, options{conf: "a", log: "b"}},
		{"short", nil, []string{"-c", "a", "-d", "-a"}, options{conf: "a", daemon: true, autorestart: true}},
		{"short, together with a value", nil, []string{"-dac", "a"}, options{conf: "a", daemon: true, autorestart: true}},
		{"short, value attached", nil, []string{"-ca", "-t"}, options{conf: "a", test: true}},
		{"short, value behind =", nil, []string{"-c=a=b"}, options{conf: "a=b"}},
		{"value that looks like a flag", nil, []string{"--log", "-x", "-c", "a"}, options{conf: "a", log: "-x"}},
		{"last one wins", nil, []string{"-c", "a", "-c", "b"}, options{conf: "b"}},
		{"numbers", nil, []string{"-c", "a", "--threads", "4", "--workers=0"}, options{conf: "a", threads: 4, workers: 0}},
		{"quick start", nil, []string{"--upstream", "u", "--addr", "x"}, options{upstream: "u", addr: "x"}},
		{"environment", env{"PINGAP_CONF": "a", "PINGAP_LOG": "b", "PINGAP_DAEMON": "false", "PINGAP_AUTORELOAD": "1",
			"PINGAP_AUTORESTART": "1", "PINGAP_RUN_DIR": "r", "PINGAP_STATE_DIR": "s"}, nil,
			options{conf: "a", log: "b", daemon: true, autoreload: true, autorestart: true, runDir: "r", stateDir: "s"}},
		{"flags before environment", env{"PINGAP_CONF": "a", "PINGAP_LOG": "b"}, []string{"-c", "c", "--log", "d"}, options{conf: "c", log: "d"}},
		{"PINGAP_CONF not with --upstream", env{"PINGAP_CONF": "a"}, []string{"--upstream", "u"}, options{upstream: "u"}},
		{"empty variables", env{"PINGAP_DAEMON": "", "PINGAP_LOG": ""}, []string{"-c", "a"}, options{conf: "a"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, rest, err := serveOptions(c.args, func(k string) string { return c.env[k] })
			if err != nil || len(rest) > 0 {
				t.Fatal(rest, err)
			}
			want := c.want
			if !slices.ContainsFunc(c.args, func(a string) bool { return a == "--threads" }) {
				want.threads, want.workers = -1, -1
			}
			if !reflect.DeepEqual(*got, want) {
				t.Errorf("got %+v, want %+v", *got, want)
			}
		})
	}
}

// Control is started with arguments that mean the same as the supervisor's.
func TestControlArgsMeanTheSame(t *testing.T) {
	noEnv := func(string) string { return "" }
	for _, args := range [][]string{
		{"-c", "/a?separation", "--strict", "--autoreload", "--threads", "0", "--workers", "3", "--log", "/l?rolling=never"},
		{"--upstream", "a:1,b:2", "--addr", "x:1", "-a"},
		{"--upstream", "a:1", "--domain", "a.test, *.b.test"},
		{"--upstream", "a:1", "--cert", "testdata/tls"},
		{"--upstream", "a:1", "--cert", "testdata/tls/cert.pem", "--key", "testdata/tls/key.pem"},
		{"--sample"},
	} {
		o, _, err := serveOptions(args, noEnv)
		if err != nil {
			t.Fatal(err)
		}
		job, err := surroundings{getenv: noEnv}.job(o)
		if err != nil {
			t.Fatal(err)
		}
		again, rest, err := serveOptions(o.controlArgs(job), noEnv)
		if err != nil || len(rest) > 0 {
			t.Fatal(rest, err)
		}
		other, err := surroundings{getenv: noEnv}.job(again)
		if err != nil || !reflect.DeepEqual(other, job) || again.watch() != o.watch() || again.log != o.log {
			t.Errorf("%q became %q: %+v, want %+v (%v)", args, o.controlArgs(job), other, job, err)
		}
	}
}

func TestWatchModes(t *testing.T) {
	for _, c := range []struct {
		o    options
		want control.Watch
	}{
		{options{}, control.WatchNone},
		{options{autoreload: true}, control.WatchHot},
		{options{autorestart: true}, control.WatchAll},
		{options{autoreload: true, autorestart: true}, control.WatchAll},
	} {
		if got := c.o.watch(); got != c.want {
			t.Errorf("%+v: %v, want %v", c.o, got, c.want)
		}
	}
}

func TestWorkersHaveNextToNoEnvironment(t *testing.T) {
	set := map[string]string{"PATH": "/bin", "HOME": "/root", "NOTIFY_SOCKET": "x", "PINGAP_ADMIN_ADDR": "p", "PINGAP_LOG": "old",
		"TZ": "UTC", "GOMEMLIMIT": "1GiB"}
	getenv := func(name string) string { return set[name] }
	if got, want := workerEnv(getenv, "new"), []string{"GOMEMLIMIT=1GiB", "TZ=UTC", "PINGAP_LOG=new"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := workerEnv(func(string) string { return "" }, ""); got == nil || len(got) > 0 {
		t.Errorf("got %#v, want an empty list", got)
	}
}
