package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pingap/ipc"
)

// hear notes an announcement in the file worker<slot>.heard, and answers it.
func (w *worker) hear(b *ipc.Announce, reply func(ipc.Body) error) error {
	if err := w.note("heard", b.Topic+" "+string(b.Body)); err != nil {
		return err
	}
	switch w.behaviour("hearing") {
	case "mute":
		return nil
	case "fail":
		return reply(ipc.Announced{Missing: []string{"deaf\nears"}})
	case "older build":
		return reply(ipc.Unknown{Of: ipc.TypeAnnounce})
	}
	return reply(ipc.Announced{})
}

func (w *worker) note(file, text string) error {
	path := filepath.Join(w.dir, fmt.Sprintf("worker%d.%s", w.slot, file))
	return errors.Join(os.WriteFile(path+".tmp", []byte(text), 0o644), os.Rename(path+".tmp", path))
}

// noted waits for a note of a worker.
func (i *instance) noted(file string) string {
	i.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if text, err := os.ReadFile(filepath.Join(i.dir, file)); err == nil {
			return string(text)
		}
	}
	i.t.Fatalf("there is no %s", file)
	return ""
}

// announce says something as control does, and returns the answer.
func (i *instance) announce(a ipc.Announce) ipc.Body {
	i.t.Helper()
	i.send(a)
	m := i.receive(ipc.TypeAnnounced, ipc.TypeRefused)
	m.Close()
	return m.Body
}

func TestAnAnnouncementReachesAllWorkers(t *testing.T) {
	i := boot(t, nil)
	got, ok := i.announce(ipc.Announce{Topic: "cache", Body: []byte(strings.Repeat("x", ipc.MaxAnnounce))}).(*ipc.Announced)
	if !ok || got.Workers != 2 || len(got.Missing) != 0 {
		t.Fatalf("got %+v", got)
	}
	for n := range 2 {
		if got := i.noted(fmt.Sprintf("worker%d.heard", n)); got != "cache "+strings.Repeat("x", ipc.MaxAnnounce) {
			t.Errorf("worker %d heard %d bytes", n, len(got))
		}
	}
}

func TestAWorkerAnnouncesToAllAndToItself(t *testing.T) {
	i := boot(t, nil)
	i.behave("worker0.beat", "speak")
	if got := i.noted("worker0.said"); got != "2 []" {
		t.Errorf("it was answered %s", got)
	}
	for n := range 2 {
		if got := i.noted(fmt.Sprintf("worker%d.heard", n)); got != "topic of a worker" {
			t.Errorf("worker %d heard %q", n, got)
		}
	}
}

func TestWhoHasNotHeardIsNamed(t *testing.T) {
	for how, want := range map[string]string{
		"mute": "worker 1 (pid %d): did not answer in time", "fail": "worker 1 (pid %d): deaf ears", "older build": "worker 1 (pid %d): its build knows nothing of announcements",
	} {
		t.Run(how, func(t *testing.T) {
			i := boot(t, func(o *Options) { o.Timings.Announce = 300 * time.Millisecond })
			i.behave("worker1.hearing", how)
			pid := 0
			for _, p := range workersIn(i.status(), ipc.StateActive) {
				if p.Slot == 1 {
					pid = p.PID
				}
			}
			got, ok := i.announce(ipc.Announce{Topic: "t"}).(*ipc.Announced)
			if !ok || got.Workers != 1 || len(got.Missing) != 1 || got.Missing[0] != fmt.Sprintf(want, pid) {
				t.Fatalf("got %+v, want %s", got, fmt.Sprintf(want, pid))
			}
			i.behave("worker1.hearing", "")
			if got, ok := i.announce(ipc.Announce{Topic: "t"}).(*ipc.Announced); !ok || got.Workers != 2 {
				t.Errorf("the next one: %+v", got)
			}
		})
	}
}

// What the dead were to forget is gone with them; nobody waits for their answer.
func TestAWorkerThatDiesHasForgotten(t *testing.T) {
	i := boot(t, func(o *Options) { o.Timings.Announce = patience })
	i.behave("worker1.announce", "die")
	if got, ok := i.announce(ipc.Announce{Topic: "t"}).(*ipc.Announced); !ok || got.Workers != 1 || len(got.Missing) != 0 {
		t.Fatalf("got %+v", got)
	}
	i.behave("worker1.announce", "")
	i.until("a successor", twoActive())
}

func TestAnnouncementsGoOneAfterTheOther(t *testing.T) {
	i := boot(t, nil)
	const many = 50
	for n := range many {
		i.send(ipc.Announce{Topic: "t", Body: fmt.Append(nil, n)})
	}
	for range many {
		m := i.receive(ipc.TypeAnnounced)
		m.Close()
		if got := m.Body.(*ipc.Announced); got.Workers != 2 {
			t.Fatalf("got %+v", got)
		}
	}
	if got := i.noted("worker1.heard"); got != fmt.Sprint("t ", many-1) {
		t.Errorf("last heard %q", got)
	}
}

func TestAnnouncementsHaveBounds(t *testing.T) {
	i := boot(t, func(o *Options) { o.Timings.Announce = 200 * time.Millisecond })
	for name, a := range map[string]ipc.Announce{
		"no topic": {}, "long topic": {Topic: strings.Repeat("t", ipc.MaxTopic+1)}, "long body": {Topic: "t", Body: make([]byte, ipc.MaxAnnounce+1)},
	} {
		if got, ok := i.announce(a).(*ipc.Refused); !ok || got.Code != ipc.CodeInvalid {
			t.Errorf("%s: %+v", name, got)
		}
	}
	i.behave("worker1.hearing", "mute") // what is said meanwhile waits
	for range maxAnnouncements + 2 {
		i.send(ipc.Announce{Topic: "t"})
	}
	m := i.receive(ipc.TypeAnnounced, ipc.TypeRefused)
	m.Close()
	if got, ok := m.Body.(*ipc.Refused); !ok || got.Code != ipc.CodeBusy {
		t.Errorf("one too many: %+v", m.Body)
	}
	i.behave("worker1.hearing", "")
	for range maxAnnouncements + 1 {
		i.receive(ipc.TypeAnnounced).Close()
	}
}
