package supervisor

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// The supervisor's own log follows each configuration that becomes live, and none that is refused.
func TestOwnLogIsAsTheLiveConfigurationSays(t *testing.T) {
	told := make(chan string, 10)
	i := launch(t, func(o *Options) {
		o.OnLogSettings = func(level string, json bool) { told <- fmt.Sprint(level, json) }
		o.LogDropped = func() uint64 { return 7 }
	})
	i.takeControl()
	first := i.proposal("", "one")
	first.Settings.LogLevel = "warn"
	i.mustApply(first)
	hot := i.proposal("one", "two")
	hot.Settings.LogLevel, hot.Settings.LogJSON, hot.Settings.Threads = "debug", true, 7
	i.mustApply(hot)
	stale := i.proposal("nothing", "three")
	stale.Settings.LogLevel = "error"
	i.mustRefuse(stale, ipc.CodeStale)
	close(told) // nothing is applied any more
	var got []string
	for s := range told {
		got = append(got, s)
	}
	if want := []string{"warnfalse", "debugtrue"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	for _, p := range i.status().Processes {
		if p.Kind == ipc.RoleSupervisor && (p.Status == nil || p.Status.LogDropped != 7) {
			t.Errorf("status of the supervisor: %+v", p.Status)
		}
	}
}

// A target that the live configuration has dropped is reopened as long as a worker of an older one writes to it.
func TestATargetStaysAsLongAsAWorkerWritesToIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	target := ipc.LogTarget{Path: path}
	target.ID = ipc.LogTargetID(target)
	old := &child{slot: &slot{role: ipc.RoleWorker}, version: &version{logs: []ipc.LogTarget{target}}}
	s := &supervisor{live: &version{}, children: map[*child]struct{}{old: {}}, logs: map[string]*logFile{target.ID: {target: target, path: path, fd: fd}}}
	s.keepLogs(s.live)
	if len(s.logs) != 1 {
		t.Error("closed while a worker writes to it")
	}
	delete(s.children, old)
	s.op = &apply{next: old.version}
	if s.dropLogs(); len(s.logs) != 1 {
		t.Error("closed while a configuration with it is under way")
	}
	s.op = nil
	if s.dropLogs(); len(s.logs) != 0 {
		t.Error("nobody wants it, and it is open")
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("the descriptor: %v", err)
	}
}

func TestReopenTellsWhatAProcessCouldNotLeave(t *testing.T) {
	i := launch(t, func(o *Options) { o.AppLog = &ipc.LogTarget{Path: filepath.Join(o.RunDir, "..", "app.log")} })
	i.takeControl()
	i.mustApply(i.proposal("", "one"))
	i.send(ipc.Reopen{})
	m := i.receive(ipc.TypeLogFDs)
	if err := i.control.Send(i.ctx, m.Txn, ipc.LogsTaken{Errors: []string{"stuck\nfast"}}); err != nil {
		t.Fatal(err)
	}
	m.Close()
	b := i.receive(ipc.TypeReopened).Body.(*ipc.Reopened)
	if len(b.Errors) != 1 || !strings.HasPrefix(b.Errors[0], "control (pid ") || !strings.HasSuffix(b.Errors[0], ": stuck fast") {
		t.Errorf("%q", b.Errors)
	}
}

// The journal's socket goes to all with its format; without it standard error is good enough.
func TestTheJournalIsATarget(t *testing.T) {
	for name, there := range map[string]bool{"there": true, "missing": false} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal")
			if there {
				l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
			}
			i := launch(t, func(o *Options) {
				o.AppLog = &ipc.LogTarget{Network: "unixgram", Path: path, Format: ipc.FormatJournal}
			})
			i.takeControl()
			i.mustApply(i.proposal("", "one"))
			logs := i.start.Logs
			if there && (len(logs) != 1 || logs[0].Format != ipc.FormatJournal || logs[0].Path != path || logs[0].FD == 0) || !there && len(logs) != 0 {
				t.Errorf("control was given %+v", logs)
			}
		})
	}
}
