package supervisor

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// explain writes what it was asked, and which worker it is, where the answer belongs.
func (w *worker) explain(m *ipc.Message, b *ipc.Explain, reply func(ipc.Body) error) error {
	switch w.behaviour("explaining") {
	case "mute":
		return nil
	case "die":
		os.Exit(3)
	case "older build":
		return reply(ipc.Unknown{Of: ipc.TypeExplain})
	case "refuse":
		return reply(ipc.Explained{Status: 404, Problem: "no server\n" + strings.Repeat("x", 2*maxText)})
	}
	fd, err := m.Take(b.Answer)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	text := fmt.Sprintf("worker %d: %s %s", w.slot, b.What, b.Body)
	if _, err := unix.Pwrite(fd, []byte(text), 0); err != nil {
		return err
	}
	return reply(ipc.Explained{Status: 200, Length: len(text)})
}

// question asks as control does, and returns the answer and what was written.
func (i *instance) question(q ipc.Explain) (ipc.Body, string) {
	i.t.Helper()
	room, err := unix.MemfdCreate("answer", unix.MFD_CLOEXEC)
	if err != nil {
		i.t.Fatal(err)
	}
	defer unix.Close(room)
	var fds ipc.FDs
	q.Answer = fds.Add(room)
	i.send(q, fds...)
	m := i.receive(ipc.TypeExplained, ipc.TypeRefused)
	m.Close()
	text := make([]byte, 4096)
	n, err := unix.Pread(room, text, 0)
	if err != nil {
		i.t.Fatal(err)
	}
	return m.Body, string(text[:n])
}

func TestAQuestionGoesToOneWorkerAndItsAnswerComesBack(t *testing.T) {
	i := boot(t, nil)
	for range 20 {
		got, text := i.question(ipc.Explain{What: ipc.ExplainRequest, Body: json.RawMessage(`{"url":"http://a"}`)})
		e, ok := got.(*ipc.Explained)
		if !ok || e.Status != 200 || e.Length != len(text) || !strings.HasSuffix(text, `: request {"url":"http://a"}`) {
			t.Fatalf("%+v %q", got, text)
		}
	}
}

func TestAQuestionThatNoWorkerAnswersIsRefused(t *testing.T) {
	for how, want := range map[string]string{"mute": "did not answer in time", "die": "has ended", "older build": "cannot explain"} {
		t.Run(how, func(t *testing.T) {
			i := boot(t, func(o *Options) { o.Timings.Announce = time.Second })
			i.behave("worker.explaining", how)
			got, _ := i.question(ipc.Explain{What: ipc.ExplainRoutes})
			if r, ok := got.(*ipc.Refused); !ok || !strings.Contains(r.Reason, want) {
				t.Fatalf("%+v", got)
			}
			i.behave("worker.explaining", "")
			i.until("two workers", twoActive())
			if got, _ := i.question(ipc.Explain{What: ipc.ExplainRoutes}); got.Type() != ipc.TypeExplained {
				t.Errorf("the next one: %+v", got)
			}
		})
	}
}

func TestQuestionsHaveBounds(t *testing.T) {
	i := boot(t, nil)
	long := json.RawMessage(`"` + strings.Repeat("x", ipc.MaxExplain) + `"`)
	if got, _ := i.question(ipc.Explain{What: ipc.ExplainRequest, Body: long}); got.Type() != ipc.TypeRefused {
		t.Errorf("%+v", got)
	}
	i.send(ipc.Explain{What: ipc.ExplainRequest}) // nowhere to write to
	m := i.receive(ipc.TypeExplained, ipc.TypeRefused)
	m.Close()
	if m.Body.Type() != ipc.TypeRefused {
		t.Errorf("%+v", m.Body)
	}
	i.behave("worker.explaining", "refuse")
	got, _ := i.question(ipc.Explain{What: ipc.ExplainRequest})
	if e, ok := got.(*ipc.Explained); !ok || e.Status != 404 || len(e.Problem) > 2*maxText || strings.Contains(e.Problem, "\n") {
		t.Errorf("%+v", got)
	}
}

func TestTheWorkerWithMostToDoIsAsked(t *testing.T) {
	s := &supervisor{}
	for n, c := range []*child{
		{generation: 2, state: ipc.StateActive, status: &ipc.Status{InFlight: 1, Requests: 100}},
		{generation: 2, state: ipc.StateActive, status: &ipc.Status{InFlight: 5, Requests: 10}},
		{generation: 1, state: ipc.StateActive, status: &ipc.Status{InFlight: 9, Requests: 900}},
		{generation: 2, state: ipc.StateDraining, status: &ipc.Status{InFlight: 50}},
		{generation: 2, state: ipc.StateActive},
	} {
		c.serial = n
		s.workers = append(s.workers, &slot{current: c})
	}
	if got := s.busiest(); got == nil || got.serial != 1 {
		t.Errorf("%+v", got)
	}
	if got := (&supervisor{}).busiest(); got != nil {
		t.Errorf("%+v", got)
	}
}
