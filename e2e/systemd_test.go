package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pingap/e2e/load"
)

// service is pingap as a service of a real systemd, with the unit of the packages, reachable from here.
type service struct {
	*box
	addr  string
	up    *load.Upstream
	conf  string // what is live at first
	count func(short, long int) int
}

// Each part states load, fault and expected count; between two of them the service is active and has nothing to do.
func TestFaultSystemd(t *testing.T) {
	needBox(t)
	long := faultTest(t, 0, 1) == 1
	s := newService(t)
	s.count = func(short, many int) int {
		if long {
			return many
		}
		return short
	}
	for _, part := range []struct {
		name string
		run  func(s *service)
	}{
		{"restart", (*service).restarts},
		{"restart with another configuration", (*service).restartChanged},
		{"kill", (*service).kills},
		{"kill in quick succession", (*service).startLimit},
		{"reload", (*service).reloads},
		{"upgrade", (*service).upgrades},
		{"systemd itself", (*service).reexec},
		{"all of it over TLS", (*service).secure},
		{"backends that heal", (*service).heals},
		{"stop", (*service).stops},
		{"stop of one that hangs", (*service).stopsHanging},
	} {
		t.Run(part.name, func(t *testing.T) {
			s.t = t
			defer func() {
				if t.Failed() {
					t.Logf("journal:\n%s", tail(s.try("journalctl -u pingap -n 80 --no-pager -o short-precise").stdout, 16_000))
				}
			}()
			part.run(s)
		})
		s.t = t
	}
}

// newService boots a system, installs what the packages install, and starts it.
func newService(t *testing.T) *service {
	t.Helper()
	dir := t.TempDir()
	two := builds(t)
	for name, content := range map[string][]byte{
		"pingap": two[0], "pingap.other": two[1],
		"pingap.service":  readBytes(t, "../systemd/pingap.service"),
		"reap":            readBytes(t, "../packaging/files/reap"),
		"pingap.sysusers": readBytes(t, "../packaging/files/pingap.sysusers"),
		"pingap.tmpfiles": readBytes(t, "../packaging/files/pingap.tmpfiles"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := &service{box: bootBox(t, "--bind-ro="+dir+":/packages"), addr: freePort(t), up: newUpstream(t)}
	s.conf = proxyFor(s.addr, s.up, manyGenerations+"workers = 2\n")
	s.run(`cd /packages
		install -D -m 755 pingap /usr/bin/pingap && install -D -m 755 reap /usr/libexec/pingap/reap &&
		install -D -m 644 pingap.service /usr/lib/systemd/system/pingap.service && mkdir -p /etc/pingap &&
		install -D -m 644 pingap.sysusers /usr/lib/sysusers.d/pingap.conf && systemd-sysusers &&
		install -D -m 644 pingap.tmpfiles /usr/lib/tmpfiles.d/pingap.conf && systemd-tmpfiles --create && systemctl daemon-reload`)
	s.configure(s.conf)
	s.run("systemctl start pingap")
	return s
}

func (s *service) configure(conf string) {
	s.t.Helper()
	s.run("cat >/etc/pingap/pingap.toml <<'END'\n" + conf + "\nEND")
}

// load begins with all clients.
func (s *service) load() *faultLoad {
	s.t.Helper()
	return startFaultLoad(s.t, s.addr, s.newUp())
}

// newUp is the upstream; a fresh count of what arrives belongs to each load.
func (s *service) newUp() *load.Upstream {
	s.up.Forget()
	return s.up
}

func (s *service) property(name string) string {
	s.t.Helper()
	return s.run("systemctl show -p " + name + " --value pingap")
}

// workers are the process ids of those that accept.
func (s *service) workers() string {
	s.t.Helper()
	return s.run(`pingap status | awk '$1 == "worker" && $5 == "active" {print $2}' | sort -n | tr '\n' ' '`)
}

// settled waits for a service that leads its workers.
func (s *service) settled() {
	s.t.Helper()
	s.eventually("systemctl is-active pingap && pingap status | grep -q 'is running' && test $(systemctl show -p MainPID --value pingap) = $(cat /run/pingap/pingap.pid)")
}

// Load: all clients. Fault: systemctl restart. Expected: 0 failed, the same workers, each restart quick.
func (s *service) restarts() {
	workers := s.workers()
	l := s.load()
	var longest time.Duration
	for range s.count(4, 50) {
		main := s.property("MainPID")
		began := time.Now()
		s.run("systemctl restart pingap")
		longest = max(longest, time.Since(began))
		if now := s.property("MainPID"); now == main || now == "0" {
			s.t.Errorf("main process %s, was %s", now, main)
		}
		l.goesOn(100)
	}
	if policy := s.property("OOMPolicy"); policy != "continue" {
		s.t.Errorf("OOMPolicy is %s: systemd ends the unit when the kernel kills a worker", policy)
	}
	r := l.mustLoseNothing()
	reached(s.t, "longest restart", longest, time.Second)
	reached(s.t, "longest request meanwhile", longestExtra(r), 100*time.Millisecond)
	if now := s.workers(); now != workers {
		s.t.Errorf("workers %s, were %s", now, workers)
	}
}

// Load: all clients. Fault: a restart after the configuration was changed, to a bad one and to a good one. Expected: 0 failed,
// the unit stays active. What was live stays so in the place of the bad one, and status tells; the good one is live.
func (s *service) restartChanged() {
	l := s.load()
	s.configure(s.conf + "\n[servers.web]\nnot = \"twice\"\n")
	s.run("systemctl restart pingap")
	s.settled()
	l.goesOn(50)
	s.eventually(`pingap status --json | grep -q '"differs": true'`)
	s.configure(changing(s.conf, 1))
	s.run("systemctl restart pingap")
	s.settled()
	l.goesOn(50)
	s.eventually(`pingap status --json | grep -q '"differs": false'`)
	if out := s.run("pingap reload --wait"); !strings.Contains(out, "unchanged") {
		s.t.Errorf("after a restart the new configuration was not live: %s", out)
	}
	s.configure(s.conf)
	s.run("pingap reload --wait")
	l.mustLoseNothing()
}

// Load: all clients. Fault: kill -9 of the main process. Expected: 0 failed, the same workers under the next one.
func (s *service) kills() {
	workers := s.workers()
	restarts, err := strconv.Atoi(s.property("NRestarts"))
	if err != nil {
		s.t.Fatal(err)
	}
	l := s.load()
	many := s.count(4, 20)
	for n := range many {
		s.run("systemctl kill -s KILL --kill-who=main pingap")
		s.eventually(fmt.Sprintf("test $(systemctl show -p NRestarts --value pingap) -ge %d && systemctl is-active pingap", restarts+n+1))
		s.settled()
		l.goesOn(100)
	}
	r := l.mustLoseNothing()
	reached(s.t, "longest request meanwhile", longestExtra(r), 200*time.Millisecond)
	if now := s.workers(); now != workers {
		s.t.Errorf("workers %s, were %s", now, workers)
	}
}

// Load: all clients. Fault: the main process dies again and again, faster than systemd would put up with. Expected: 0 failed,
// the unit is active in the end.
func (s *service) startLimit() {
	l := s.load()
	s.run(fmt.Sprintf("for i in $(seq %d); do systemctl kill -s KILL --kill-who=main pingap; sleep 0.2; done", s.count(12, 30)))
	s.settled()
	l.goesOn(100)
	l.mustLoseNothing()
}

// Load: all clients. Fault: systemctl reload of good and bad configurations. Expected: 0 failed; systemctl says which were
// refused, and the unit stays active.
func (s *service) reloads() {
	l := s.load()
	for n := range s.count(3, 50) {
		s.configure(changing(s.conf, n+1))
		s.run("systemctl reload pingap")
		s.configure(strings.Replace(s.conf, "127.0.0.1:", "nowhere:", 1))
		if r := s.try("systemctl reload pingap"); r.code == 0 {
			s.t.Error("systemctl reload of a bad configuration succeeds")
		}
		if state := s.property("ActiveState"); state != "active" {
			s.t.Errorf("after a refused reload the unit is %s", state)
		}
		l.goesOn(20)
	}
	s.configure(s.conf)
	s.run("systemctl reload pingap")
	l.mustLoseNothing()
}

// Load: all clients. Fault: upgrades to another build and back. Expected: 0 failed; systemd knows the new main process, and its
// watchdog is content for several of its periods.
func (s *service) upgrades() {
	s.dropIn("watchdog", "WatchdogSec=4")
	s.run("systemctl restart pingap")
	s.settled()
	l := s.load()
	var longest time.Duration
	restarts := s.property("NRestarts")
	for n := range s.count(2, 20) {
		main := s.property("MainPID")
		s.run("install -m 755 /packages/" + []string{"pingap.other", "pingap"}[n%2] + " /usr/bin/pingap.new && mv /usr/bin/pingap.new /usr/bin/pingap")
		began := time.Now()
		s.run("pingap upgrade --wait")
		longest = max(longest, time.Since(began))
		s.settled()
		if now := s.property("MainPID"); now == main {
			s.t.Errorf("the main process is still %s", now)
		}
		l.goesOn(100)
	}
	main := s.property("MainPID")
	time.Sleep(13 * time.Second) // three periods of the watchdog
	if now := s.property("MainPID"); now != main || s.property("NRestarts") != restarts {
		s.t.Errorf("the watchdog was not content: main process %s, was %s", now, main)
	}
	s.run("systemctl restart pingap")
	l.goesOn(100)
	r := l.mustLoseNothing()
	reached(s.t, "longest upgrade, with fresh workers", longest, time.Second)
	reached(s.t, "longest request meanwhile", longestExtra(r), 100*time.Millisecond)
	s.run("rm /etc/systemd/system/pingap.service.d/watchdog.conf && systemctl daemon-reload && systemctl restart pingap")
	s.settled()
}

// Load: all clients. Fault: systemd executes itself anew, and reads its units again, one of them changed. Expected: 0 failed,
// and a restart after that still loses nothing.
func (s *service) reexec() {
	workers := s.workers()
	l := s.load()
	for range s.count(1, 10) {
		s.run("systemctl daemon-reexec; systemctl is-active pingap")
		s.dropIn("edited", "TimeoutStopSec=80")
		s.run("systemctl is-active pingap")
		l.goesOn(50)
		s.run("systemctl restart pingap")
		l.goesOn(50)
		s.run("rm /etc/systemd/system/pingap.service.d/edited.conf; systemctl daemon-reload")
	}
	l.mustLoseNothing()
	if now := s.workers(); now != workers {
		s.t.Errorf("workers %s, were %s", now, workers)
	}
}

// Load: slow answers, uploads. Fault: systemctl stop. Expected: what is in flight finishes; then nobody listens, no process is
// left, and systemd keeps nothing.
func (s *service) stops() {
	l := startFaultLoad(s.t, s.addr, s.newUp(), load.Mix{Kind: load.Slow, Clients: 8, Takes: 2 * time.Second},
		load.Mix{Kind: load.Upload, Clients: 4, Takes: 2 * time.Second}, load.Mix{Kind: load.Fresh, Clients: 2, Pause: time.Millisecond})
	asked := time.Now()
	s.run("systemctl stop pingap")
	if err := within(patience, func() error {
		if l.Report().Kinds[load.Fresh].Ended[load.Refused] == 0 {
			return errors.New("connections are not refused")
		}
		return nil
	}); err != nil {
		s.t.Error(err)
	}
	r := l.Stop()
	s.t.Logf("load:\n%s", r)
	for _, f := range r.Failures {
		if f.Outcome != load.Refused || f.Began.Before(asked) {
			s.t.Errorf("lost: %s", f)
		}
	}
	s.nothingLeft()
	s.run("systemctl start pingap")
	s.settled()
}

func (s *service) nothingLeft() {
	s.t.Helper()
	if r := s.try("pgrep -a pingap"); r.code != 1 {
		s.t.Errorf("left running: %s", r.all())
	}
	if n := s.property("NFileDescriptorStore"); n != "0" {
		s.t.Errorf("systemd keeps %s descriptors", n)
	}
	if _, err := connect(s.addr); err == nil {
		s.t.Errorf("somebody listens on %s", s.addr)
	}
}

// Load: slow answers. Fault: systemctl stop while the supervisor stands still. systemd wakes it. Expected: what is in flight
// finishes, and nothing is left.
func (s *service) stopsHanging() {
	s.dropIn("short", "TimeoutStopSec=3")
	l := startFaultLoad(s.t, s.addr, s.newUp(), load.Mix{Kind: load.Slow, Clients: 4, Takes: time.Second})
	s.run("systemctl kill -s STOP --kill-who=main pingap")
	began := time.Now()
	s.try("systemctl stop pingap") // it fails or not: systemd had to kill
	s.t.Logf("stopped after %v", time.Since(began).Round(time.Millisecond))
	for _, f := range l.Stop().Failures {
		if f.Outcome != load.Refused {
			s.t.Errorf("lost: %s", f)
		}
	}
	s.nothingLeft()
	if state := s.property("ActiveState"); state == "active" {
		s.t.Errorf("the unit is %s", state)
	}
	s.run("rm /etc/systemd/system/pingap.service.d/short.conf; systemctl daemon-reload; systemctl reset-failed pingap; systemctl start pingap")
	s.settled()
}
