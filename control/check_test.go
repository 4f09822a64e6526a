package control

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pingap/config"
	"pingap/control/source"
)

// judge checks one configuration in this process.
func judge(t *testing.T, text string) (Verdict, *config.Snapshot) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	job := Job{Location: source.Location{Path: path}, Threads: -1, Workers: -1, Home: "/home/u", Dir: "/srv"}
	v, data := Check(context.Background(), job, config.Options{}, nil)
	if len(v.Errors) > 0 {
		return v, nil
	}
	s, err := config.OpenSnapshot(data)
	if err != nil {
		t.Fatal(err)
	}
	return v, s
}

func TestAccessLogTargets(t *testing.T) {
	cases := []struct {
		directive           string
		network, path, roll string
		inSnapshot          string
	}{
		{"combined", "", "", "", "combined"},
		{"stdout combined", "", "", "", "stdout combined"},
		{"/dev/stdout combined", "", "", "", "/dev/stdout combined"},
		{"/var/log/../a.log?rolling=hourly combined", "", "/var/a.log", "hourly", "/var/a.log?rolling=hourly combined"},
		{"~/a.log short", "", "/home/u/a.log", "daily", "/home/u/a.log short"},
		{"a.log?rolling=never {host}", "", "/srv/a.log", "never", "/srv/a.log?rolling=never {host}"},
		{"syslog:// combined", "unixgram", "/dev/log", "", "syslog:// combined"},
	}
	for _, c := range cases {
		v, s := judge(t, "[servers.a]\naddr = \"127.0.0.1:6199\"\naccess_log = \""+c.directive+"\"\n")
		if s == nil {
			t.Errorf("%q: %q", c.directive, v.Errors)
			continue
		}
		if server, err := s.Server("a"); err != nil || server.AccessLog != c.inSnapshot {
			t.Errorf("%q: in the snapshot %q, %v; want %q", c.directive, server.AccessLog, err, c.inSnapshot)
		}
		if c.path == "" {
			if len(v.Logs) != 0 {
				t.Errorf("%q: opens %+v", c.directive, v.Logs)
			}
			continue
		}
		if len(v.Logs) != 1 || v.Logs[0].Network != c.network || v.Logs[0].Path != c.path || v.Logs[0].Rolling != c.roll {
			t.Errorf("%q: opens %+v", c.directive, v.Logs)
		}
	}
}

func TestListeningAddresses(t *testing.T) {
	cases := []struct {
		addr string
		want []string // network and address
		text string   // part of the error
	}{
		{addr: "127.0.0.1:80", want: []string{"tcp4 127.0.0.1:80"}},
		{addr: "[::1]:80,0.0.0.0:81", want: []string{"tcp6 [::1]:80", "tcp4 0.0.0.0:81"}},
		{addr: ":80", want: []string{"tcp [::]:80"}},
		{addr: "[::]:80", want: []string{"tcp [::]:80"}},
		{addr: "[::]:80,0.0.0.0:80", want: []string{"tcp6 [::]:80", "tcp4 0.0.0.0:80"}},
		{addr: "[::]:80,127.0.0.1:80,[::]:81", want: []string{"tcp6 [::]:80", "tcp4 127.0.0.1:80", "tcp [::]:81"}},
		{addr: "localhost:80", want: []string{"tcp4 127.0.0.1:80"}},
		{addr: "unix:/run/a.sock", want: []string{"unix /run/a.sock"}},
		{addr: "localhost:80,127.0.0.1:80", text: "servers.a.addr: 127.0.0.1:80 is already the address of server a"},
		{addr: "no-such-host.invalid:80", text: "servers.a.addr: expected a host with an address"},
	}
	for _, c := range cases {
		v, _ := judge(t, "[servers.a]\naddr = \""+c.addr+"\"\n")
		if c.text != "" {
			if len(v.Errors) != 1 || len(v.Errors[0]) < len(c.text) || v.Errors[0][:len(c.text)] != c.text {
				t.Errorf("%s: errors %q, want %q", c.addr, v.Errors, c.text)
			}
			continue
		}
		var got []string
		for _, l := range v.Listeners {
			got = append(got, l.Network+" "+l.Address)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q (%q)", c.addr, got, c.want, v.Errors)
		}
	}
}

func TestFlagsWinOverTheConfiguration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.toml")
	if err := os.WriteFile(path, []byte("[basic]\nthreads = 3\nworkers = 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ threads, workers, wantThreads, wantWorkers int }{
		{-1, -1, 3, 2}, {0, 0, 0, 0}, {5, 4, 5, 4},
	} {
		job := Job{Location: source.Location{Path: path}, Threads: c.threads, Workers: c.workers}
		v, _ := Check(context.Background(), job, config.Options{}, nil)
		if v.Settings.Threads != c.wantThreads || v.Settings.Workers != c.wantWorkers {
			t.Errorf("flags %d, %d: %+v, %q", c.threads, c.workers, v.Settings, v.Errors)
		}
	}
}

func TestTheLongestDrainCountsEverything(t *testing.T) {
	hours := func(n int) config.Duration { return config.Duration(time.Duration(n) * time.Hour) }
	for want, cfg := range map[time.Duration]*config.Config{
		2*time.Hour + time.Second: {Basic: config.Basic{GracePeriod: hours(2), DrainLongTimeout: hours(1), DrainSpread: config.Duration(time.Second)}},
		3 * time.Hour:             {Basic: config.Basic{GracePeriod: hours(2), DrainLongTimeout: hours(3)}},
		4 * time.Hour: {Basic: config.Basic{DrainLongTimeout: hours(3)},
			Locations: map[string]*config.Location{"a": {DrainTimeout: hours(4)}, "b": {}}},
	} {
		if got := longestDrain(cfg); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}
