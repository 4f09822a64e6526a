package supervisor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// A worker that is just being started when the instance stops for good says Hello to a supervisor that has no listeners any more.
func TestAWorkerThatComesUpDuringAFastStop(t *testing.T) {
	i := boot(t, nil)
	i.behave("worker.hello", "late")
	unix.Kill(pids(i.status())[0], unix.SIGKILL)
	i.until("a successor that has not said Hello", func(*ipc.StatusAll) bool {
		_, err := os.Stat(filepath.Join(i.dir, "sent"))
		return err == nil
	})
	i.signals <- unix.SIGTERM
	i.signals <- unix.SIGTERM
	if err := i.end(); err != nil {
		t.Error(err)
	}
}

func TestHowLongClosingMayTakeIsTheConfigurations(t *testing.T) {
	i := boot(t, func(o *Options) { o.Timings.StopMargin = time.Hour })
	p := i.proposal("one", "two")
	p.Settings.GracePeriod, p.Settings.Drain.Close = 100*time.Millisecond, 100*time.Millisecond
	i.mustApply(p)
	i.behave("worker0.drain", "ignore")
	i.signals <- unix.SIGTERM
	if err := i.end(); err != nil {
		t.Error(err)
	}
}

func TestStopping(t *testing.T) {
	cases := []struct {
		name string
		do   func(i *instance)
	}{
		{"by SIGTERM", func(i *instance) { i.signals <- unix.SIGTERM }},
		{"by SIGQUIT", func(i *instance) { i.signals <- unix.SIGQUIT }},
		{"by SIGINT", func(i *instance) { i.signals <- unix.SIGINT }},
		{"by its context", func(i *instance) { i.cancel() }},
		{"by control", func(i *instance) {
			i.send(ipc.Stop{Who: "test"})
			if m := i.receive(ipc.TypeStopping); m.Body.(*ipc.Stopping).Timeout != 10*time.Second {
				i.t.Errorf("%+v", m.Body)
			}
		}},
		{"at once by control", func(i *instance) { i.send(ipc.Stop{Fast: true}) }},
		{"at once by a second signal, with a worker that does not drain", func(i *instance) {
			i.behave("worker0.drain", "ignore")
			i.signals <- unix.SIGTERM
			i.signals <- unix.SIGTERM
		}},
		{"at once, with a worker that hears nothing", func(i *instance) {
			i.behave("worker0.drain", "hang")
			i.send(ipc.Stop{})
			i.send(ipc.Stop{Fast: true})
		}},
		{"with a worker that outstays its time", func(i *instance) {
			p := i.proposal("one", "two")
			p.Settings.GracePeriod = 100 * time.Millisecond // hot: it holds for the running workers
			i.mustApply(p)
			i.behave("worker0.drain", "ignore")
			i.signals <- unix.SIGTERM
		}},
		{"during an apply", func(i *instance) {
			i.behave("worker0.prepare", "ignore")
			i.sendProposal(i.proposal("one", "two"))
			i.sendProposal(i.proposal("one", "three"))
			i.send(ipc.Stop{})
			for range 2 {
				if r, ok := i.verdict().(*ipc.Refused); !ok || r.Code != ipc.CodeStopping {
					i.t.Errorf("verdict %+v", r)
				}
			}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			i := boot(t, func(o *Options) { o.Timings.StopMargin = 100 * time.Millisecond })
			before := pids(i.status())
			c.do(i)
			if err := i.end(); err != nil {
				t.Errorf("Run returned %v", err)
			}
			for _, pid := range append(before, i.pid) {
				if !dead(pid) {
					t.Errorf("process %d was left behind", pid)
				}
			}
			if c, err := net.Dial("tcp4", i.address); err == nil {
				c.Close()
				t.Error("somebody still listens")
			}
			for _, name := range []string{"pingap.pid", "control.sock", "admin.sock"} {
				if _, err := os.Stat(filepath.Join(i.dir, "run", name)); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s left behind: %v", name, err)
				}
			}
		})
	}
}

func TestStatusWorksWhileWorkersDrain(t *testing.T) {
	i := boot(t, nil)
	i.behave("worker0.drain", "ignore")
	i.send(ipc.Stop{})
	all := i.until("one worker draining", func(all *ipc.StatusAll) bool {
		return len(workersIn(all, ipc.StateDraining)) == 1
	})
	if all.State != stateStopping {
		t.Errorf("state %s", all.State)
	}
	i.signals <- unix.SIGTERM
	if err := i.end(); err != nil {
		t.Error(err)
	}
}

func TestStoppingBeforeThereIsAConfiguration(t *testing.T) {
	i := launch(t, nil)
	i.takeControl()
	i.signals <- unix.SIGTERM
	if err := i.end(); err != nil {
		t.Errorf("Run returned %v", err)
	}
}

func TestStoppingWhileWorkersStart(t *testing.T) {
	i := launch(t, nil)
	i.takeControl()
	i.behave("worker0.ready", "hang")
	i.sendProposal(i.proposal("", "one"))
	i.until("a worker on its way", func(all *ipc.StatusAll) bool { return len(all.Processes) >= 3 })
	i.signals <- unix.SIGTERM
	if r, ok := i.verdict().(*ipc.Refused); !ok || r.Code != ipc.CodeStopping {
		t.Errorf("verdict %+v", r)
	}
	if err := i.end(); err != nil {
		t.Errorf("Run returned %v", err)
	}
}
