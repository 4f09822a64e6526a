package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// After reopen no process holds the old files: not the supervisor, not control, not a worker that is draining, with a tunnel and
// a download still open. What these log at their end is in the new file.
func TestReopenReachesDrainingWorkers(t *testing.T) {
	t.Parallel()
	b, bin := newBackend(t, "app"), newHTTPBin(t)
	dir, addr := workDir(t), freePort(t)
	access, app := filepath.Join(dir, "access.log"), filepath.Join(dir, "app.log")
	conf := loggedConf(addr, b.addr, access+"?rolling=never {path} {status}")
	conf = strings.Replace(conf, `["all"]`, `["all", "tunnel"]`, 1) +
		fmt.Sprintf("\n[locations.tunnel]\npath = \"/websocket\"\nupstream = \"bin\"\n[upstreams.bin]\naddrs = [%q]\n", bin)
	i := start(t, conf, "--log", app+"?rolling=never")
	tunnel := openWebSocket(t, addr, "/websocket/echo")
	download := dial(t, addr)
	if _, err := io.WriteString(download.conn, get("/parts")); err != nil {
		t.Fatal(err)
	}
	i.eventually("the first part", func() error { return atLeast(b.now.Load(), 1) })
	old := i.status()
	for _, pid := range old.pids() {
		signalPID(t, pid, syscall.SIGTERM) // drains: one of them has the tunnel, one the download
	}
	i.eventually("successors", func() error { return i.bothServe(old) })
	l := runLoad(t, addr, usualMix(2)...)
	l.progress(t, 200)
	rename(t, access, access+".1")
	rename(t, app, app+".1")
	if r := i.verb("reopen"); r.code != 0 || strings.Contains(r.all(), "did not take") {
		t.Fatalf("reopen: %s", r.all())
	}
	draining := i.holdsNone(access+".1", app+".1")
	if len(draining) == 0 {
		t.Error("no worker is draining")
	}
	before := read(t, access+".1")
	l.progress(t, 200)
	if err := tunnel.echo(opText, []byte("still there")); err != nil {
		t.Errorf("the tunnel: %v", err)
	}
	tunnel.close()
	b.release()
	if a, err := download.read("GET"); err != nil || !strings.HasSuffix(string(a.body), "part two\n") {
		t.Errorf("the download: %+v, %v", a, err)
	}
	l.mustBeClean(t)
	i.eventually("the end of those that drain", func() error {
		for _, pid := range draining {
			if strings.HasPrefix(cmdline(pid), "pingap: ") {
				return fmt.Errorf("process %d lives", pid)
			}
		}
		return nil
	})
	if r := i.verb("stop"); r.code != 0 {
		t.Fatalf("stop: %s", r.all())
	}
	if read(t, access+".1") != before {
		t.Error("the old file grew after reopen had returned")
	}
	count := map[string]int{}
	for line := range strings.Lines(before + read(t, access)) {
		count[line]++
	}
	done := int(l.done.Load())
	if len(count) != 3 || count["/load 200\n"] != done || count["/parts 200\n"] != 1 || count["/websocket/echo 101\n"] != 1 {
		t.Errorf("lines %v of %d requests", count, done)
	}
	contains(t, read(t, access), "/parts 200\n", "/websocket/echo 101\n")
	contains(t, read(t, app), "INFO drained component=worker")
}

// bothServe says whether each slot has an active worker that is none of the old ones.
func (i *instance) bothServe(old status) error {
	was := fmt.Sprint(old.pids())
	fresh := 0
	for _, w := range i.status().workers() {
		if w.State == "active" && !strings.Contains(was, fmt.Sprint(w.PID)) {
			fresh++
		}
	}
	if fresh != len(old.workers()) {
		return fmt.Errorf("%d of %d", fresh, len(old.workers()))
	}
	return nil
}

// holdsNone fails the test when a process has one of the files open, and returns the workers that are draining.
func (i *instance) holdsNone(files ...string) (draining []int) {
	i.t.Helper()
	for _, p := range i.status().Processes {
		if p.State == "draining" {
			draining = append(draining, p.PID)
		}
		for _, d := range descriptors(i.t, p.PID) {
			for _, f := range files {
				if d.to == f {
					i.t.Errorf("%s %d (%s) holds %s", p.Kind, p.PID, p.State, f)
				}
			}
		}
	}
	return draining
}

// Eight workers write lines of 9 KiB to one file, on the disk and in memory: none is torn, none is lost.
func TestLongLinesOfEightWorkersStayWhole(t *testing.T) {
	t.Parallel()
	dirs := map[string]string{"disk": workDir(t)}
	if dir, err := os.MkdirTemp("/dev/shm", "pg"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		dirs["memory"] = dir
	}
	for name, dir := range dirs {
		t.Run(name, func(t *testing.T) { longLines(t, dir) })
	}
}

func longLines(t *testing.T, dir string) {
	addr, log := freePort(t), filepath.Join(dir, "access.log")
	i := start(t, insert(mockConf(addr, "x"), "servers.web", fmt.Sprintf("access_log = %q", log+"?rolling=never {uri} {>x-long}")), "--workers", "8")
	const clients, each = 16, 250
	var wg sync.WaitGroup
	for n := range clients {
		wg.Go(func() {
			for k := range each {
				// A connection each, so that all workers have their share.
				a, err := fetch(addr, get(fmt.Sprintf("/%d/%d", n, k), "X-Long: "+longValue(n, k)))
				if err != nil || a.status != 200 {
					t.Errorf("request %d/%d: %v", n, k, err)
				}
			}
		})
	}
	wg.Wait()
	i.eventually("the count of all requests", func() error {
		sum, wrote := uint64(0), 0
		for _, w := range i.status().workers() {
			sum += w.Requests
			if w.Requests > 0 {
				wrote++
			}
			if w.LogDropped > 0 {
				t.Errorf("worker %d lost %d lines", w.Slot, w.LogDropped)
			}
		}
		if sum != clients*each || wrote != 8 {
			return fmt.Errorf("%d requests in %d workers", sum, wrote)
		}
		return nil
	})
	if r := i.verb("stop"); r.code != 0 {
		t.Fatalf("stop: %s", r.all())
	}
	seen := map[string]bool{}
	for line := range strings.Lines(read(t, log)) {
		var n, k int
		if _, err := fmt.Sscanf(line, "/%d/%d ", &n, &k); err != nil || line != fmt.Sprintf("/%d/%d %s\n", n, k, longValue(n, k)) {
			t.Fatalf("line of %d bytes: %.60q", len(line), line)
		}
		seen[line[:20]] = true
	}
	if len(seen) != clients*each {
		t.Errorf("%d lines of %d requests", len(seen), clients*each)
	}
}

func longValue(n, k int) string {
	return strings.Repeat(fmt.Sprintf("%d.%d;", n, k), 9<<10/len(fmt.Sprintf("%d.%d;", n, k)))
}

// Level and form of the application log hold for all processes, as soon as the configuration is known and after each change.
func TestAllProcessesLogAsTheConfigurationSays(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	conf := func(level string, json bool) string {
		return mockConf(addr, "x") + fmt.Sprintf("\n[basic]\nlog_level = %q\nlog_format_json = %v\n", level, json)
	}
	i := start(t, conf("error", false))
	if text := i.printed(); strings.Contains(text, "configuration applied") {
		t.Errorf("the supervisor says at level error: %s", text)
	}
	i.change(conf("info", true))
	components := func(text string) map[string]bool {
		found := map[string]bool{}
		for line := range strings.Lines(text) {
			var entry struct {
				Level  string
				Fields struct{ Message, Component string }
			}
			if err := json.Unmarshal([]byte(line), &entry); err == nil && entry.Level == "INFO" && entry.Fields.Message != "" {
				found[entry.Fields.Component] = true
			}
		}
		return found
	}
	i.signal(syscall.SIGHUP)
	i.eventually("lines in JSON", func() error {
		if found := components(i.printed()); !found["supervisor"] || !found["worker"] {
			return fmt.Errorf("of %v", found)
		}
		return nil
	})
	i.change(conf("info", false))
	from := len(i.printed())
	i.signal(syscall.SIGUSR1)
	i.eventually("a line of text", func() error {
		if text := i.printed()[from:]; !strings.Contains(text, "INFO signal component=supervisor") || len(components(text)) > 0 {
			return fmt.Errorf("printed %q", text)
		}
		return nil
	})
}

// Where the journal has standard error, all processes send it fields. A journal that goes away and comes back costs lines only.
func TestTheJournalGetsFieldsOfAllProcesses(t *testing.T) {
	t.Parallel()
	dir, addr := workDir(t), freePort(t)
	socket, conf := filepath.Join(dir, "journal"), filepath.Join(dir, "pingap.toml")
	write(t, conf, mockConf(addr, "x"))
	j := newJournal(t, socket)
	i := launchAs(t, dir, func(c *exec.Cmd) {
		var st unix.Stat_t
		if err := unix.Fstat(int(c.Stderr.(*os.File).Fd()), &st); err != nil {
			t.Fatal(err)
		}
		c.Env = append(os.Environ(), fmt.Sprintf("JOURNAL_STREAM=%d:%d", st.Dev, st.Ino), "PINGAP_JOURNAL_SOCKET="+socket)
	}, "-c", conf, "--workers", "2")
	i.waitRunning()
	j.wants(i, "MESSAGE=active component=supervisor", "PRIORITY=6", "SYSLOG_IDENTIFIER=pingap", "PINGAP_PROCESS=supervisor", "PINGAP_EVENT=active", "PINGAP_GENERATION=1")
	write(t, conf, mockConf(addr, "y"))
	i.reload()
	j.wants(i, "PINGAP_PROCESS=worker", "PINGAP_EVENT=configuration committed", "PINGAP_VERSION=", "PINGAP_SLOT=1")
	write(t, conf, "broken")
	i.verb("reload")
	j.wants(i, "PINGAP_PROCESS=control")
	l := runLoad(t, addr, usualMix(1)...)
	j.close()
	write(t, conf, mockConf(addr, "z"))
	i.reload()
	i.eventually("lost lines", func() error {
		for _, p := range append(i.status().of("supervisor"), i.status().workers()...) {
			if p.LogDropped == 0 {
				return fmt.Errorf("none of %s %d", p.Kind, p.PID)
			}
		}
		return nil
	})
	os.Remove(socket)
	j = newJournal(t, socket)
	i.signal(syscall.SIGUSR1)
	j.wants(i, "PINGAP_PROCESS=supervisor", "PINGAP_SIGNAL=user defined signal 1")
	l.mustBeClean(t)
	if text := i.printed(); strings.Contains(text, "component=worker") || strings.Contains(text, "configuration applied") {
		t.Errorf("standard error has %s", text)
	}
}
