package supervisor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

func TestAHotChangeReachesAllWorkersAndReplacesNone(t *testing.T) {
	i := boot(t, nil)
	before := pids(i.status())
	p := i.proposal("one", "two")
	p.Changes = []ipc.Change{{Object: "upstreams.api", Class: ipc.ClassHot}}
	a := i.mustApply(p)
	if a.Version != 2 || a.Workers != 2 || a.Unchanged || len(a.Changes) != 1 {
		t.Errorf("applied %+v", a)
	}
	all := i.until("the new sha in every heartbeat", func(all *ipc.StatusAll) bool {
		for _, p := range workersIn(all, ipc.StateActive) {
			if p.Status == nil || p.Status.SHA != "two" {
				return false
			}
		}
		return all.SHA == "two"
	})
	if got := pids(all); !slices.Equal(got, before) {
		t.Errorf("workers %v became %v", before, got)
	}
	if all.LastApply == nil || all.LastApply.SHA != "two" || all.LastApply.Error != "" {
		t.Errorf("last apply %+v", all.LastApply)
	}
}

func TestWhatNothingChangesIsUnchanged(t *testing.T) {
	i := boot(t, nil)
	i.behave("worker.prepare", "die") // nobody is to be asked
	a := i.mustApply(i.proposal("whatever", "one"))
	if !a.Unchanged || a.Version != 1 {
		t.Errorf("applied %+v", a)
	}
}

func TestARefusedChangeChangesNothing(t *testing.T) {
	cases := []struct {
		name   string
		behave [2]string // file, behaviour
		change func(i *instance, p *ipc.Propose)
		code   string
		reason string
	}{
		{"one worker refuses", [2]string{"worker1.prepare", "nack"}, nil, ipc.CodeInvalid, "worker 1 (pid "},
		{"one worker dies", [2]string{"worker1.prepare", "die"}, nil, ipc.CodeWorkerDied, "exit status 9"},
		{"one worker hangs", [2]string{"worker0.prepare", "hang"}, nil, ipc.CodeTimeout, "worker 0 (pid "},
		{"one worker prepares something else", [2]string{"worker1.prepare", "lie"}, nil, ipc.CodeInvalid, "another configuration"},
		{"the base is not what is live", [2]string{}, func(_ *instance, p *ipc.Propose) { p.Base = "zero" }, ipc.CodeStale, "changed meanwhile"},
		{"a log cannot be opened", [2]string{}, func(_ *instance, p *ipc.Propose) {
			p.Logs = []ipc.LogTarget{{Path: "/proc/nothing/x.log"}}
		}, ipc.CodeLog, "/proc/nothing"},
		{"a log path is relative", [2]string{}, func(_ *instance, p *ipc.Propose) {
			p.Logs = []ipc.LogTarget{{Path: "x.log"}}
		}, ipc.CodeLog, "not an absolute path"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			i := boot(t, func(o *Options) { o.Timings.Prepare = time.Second })
			fds := len(links())
			p := i.proposal("one", "two")
			if c.behave[0] != "" {
				i.behave(c.behave[0], c.behave[1])
				p.Logs = []ipc.LogTarget{{Path: filepath.Join(i.dir, "new.log")}}
			}
			if c.change != nil {
				c.change(i, p)
			}
			r := i.mustRefuse(p, c.code)
			if !strings.Contains(r.Reason, c.reason) || strings.Contains(r.Reason, "\n") {
				t.Errorf("reason %q, want %q", r.Reason, c.reason)
			}
			if all := i.status(); all.SHA != "one" || all.Version != 1 || len(all.Logs) != 0 || all.LastApply.Error != r.Reason {
				t.Errorf("status after it %+v", all)
			}
			if a := i.ask(); a.SHA != "one" {
				t.Errorf("a worker serves %s", a.SHA)
			}
			if c.behave[1] != "hang" {
				i.until("two workers", twoActive())
				if c.behave[1] != "die" && len(links()) > fds {
					t.Errorf("%d descriptors before, %d after", fds, len(links()))
				}
				i.behave("worker1.prepare", "")
				i.mustApply(i.proposal("one", "three"))
			}
		})
	}
}

func TestAWorkerThatDoesNotCommitIsReplaced(t *testing.T) {
	for _, how := range []string{"hang", "die", "lie"} {
		t.Run(how, func(t *testing.T) {
			i := boot(t, func(o *Options) { o.Timings.Commit = time.Second })
			before := pids(i.status())
			i.behave("worker1.commit", how)
			i.mustApply(i.proposal("one", "two"))
			all := i.until("two workers on the new configuration", func(all *ipc.StatusAll) bool {
				for _, p := range workersIn(all, ipc.StateActive) {
					if p.Status == nil || p.Status.SHA != "two" {
						return false
					}
				}
				return twoActive(before[1])(all)
			})
			if got := pids(all); got[0] != before[0] {
				t.Errorf("the worker that committed was replaced: %v, %v", before, got)
			}
		})
	}
}

func TestProposalsAreTakenOneAfterTheOther(t *testing.T) {
	i := boot(t, nil)
	for _, sha := range []string{"two", "three", "four"} {
		i.sendProposal(i.proposal("one", sha))
	}
	var verdicts []string
	for range 3 {
		switch v := i.verdict().(type) {
		case *ipc.Applied:
			verdicts = append(verdicts, v.SHA)
		case *ipc.Refused:
			verdicts = append(verdicts, v.Code)
		}
	}
	if want := []string{"two", ipc.CodeStale, ipc.CodeStale}; !slices.Equal(verdicts, want) {
		t.Errorf("verdicts %v, want %v", verdicts, want)
	}
}

func TestAWorkerStartedDuringAnApplyWaitsForItsEnd(t *testing.T) {
	i := boot(t, nil)
	i.behave("worker0.commit", "hang")
	i.behave("worker1.commit", "die")
	i.mustApply(i.proposal("one", "two")) // worker 1 dies while worker 0 keeps the apply open
	i.behave("worker0.commit", "")
	i.until("two workers on the new configuration", func(all *ipc.StatusAll) bool {
		for _, p := range workersIn(all, ipc.StateActive) {
			if p.Status == nil || p.Status.SHA != "two" {
				return false
			}
		}
		return twoActive()(all)
	})
}

// When no worker can live on what is live, a proposal starts fresh ones, whatever its class.
func TestABrokenLiveConfigurationCanBeReplaced(t *testing.T) {
	i := boot(t, nil)
	i.behave("worker.hello", "die")
	for _, pid := range pids(i.status()) {
		unix.Kill(pid, unix.SIGKILL)
	}
	i.until("a crash loop", func(all *ipc.StatusAll) bool {
		return len(workersIn(all, ipc.StateActive)) == 0 && len(all.Degraded) == 2
	})
	other := freeAddress(t)
	p := i.proposal("one", "two")
	p.Class = ipc.ClassRoll
	p.Listeners[0].Address = other
	i.mustRefuse(p, ipc.CodeWorkerDied) // still broken
	if all := i.status(); all.SHA != "one" {
		t.Errorf("live is %s", all.SHA)
	}
	i.behave("worker.hello", "")
	i.until("the old configuration again", twoActive())
	if i.ask().SHA != "one" {
		t.Error("not the old configuration")
	}
}

func TestFreshWorkersMayHaveOtherListeners(t *testing.T) {
	i := boot(t, nil)
	i.behave("worker.start-one", "die")
	for _, pid := range pids(i.status()) {
		unix.Kill(pid, unix.SIGKILL)
	}
	i.until("no workers", func(all *ipc.StatusAll) bool { return len(workersIn(all, ipc.StateActive)) == 0 })
	p := i.proposal("one", "two")
	old := i.address
	i.address = freeAddress(t)
	p.Class, p.Listeners[0].Address = ipc.ClassRoll, i.address
	i.mustApply(p)
	if a := i.ask(); a.SHA != "two" {
		t.Errorf("served %+v", a)
	}
	i.addressIs(old, false)
	if all := i.status(); all.State != stateRunning || workersIn(all, ipc.StateActive)[0].Generation <= 1 {
		t.Errorf("status %+v", all)
	}
}

func TestLogTargetsComeAndGoWithTheConfiguration(t *testing.T) {
	i := boot(t, nil)
	path := filepath.Join(i.dir, "deep", "access.log")
	p := i.proposal("one", "two")
	p.Logs = []ipc.LogTarget{{Path: path}, {Path: path}} // two servers share it
	i.mustApply(p)
	if data, err := os.ReadFile(path); err != nil || strings.Count(string(data), "\n") != 2 {
		t.Errorf("%q, %v", data, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("%v, %v", info, err)
	}
	if all := i.status(); !slices.Equal(all.Logs, []string{path}) {
		t.Errorf("open logs %v", all.Logs)
	}
	i.mustApply(i.proposal("two", "three"))
	if all := i.status(); len(all.Logs) != 0 {
		t.Errorf("open logs %v", all.Logs)
	}
}
