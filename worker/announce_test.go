package worker

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pingap/ipc"
	"pingap/plugins"
)

// speaker is a plugin for tests: it says the path of a request to all workers, and answers with what became of it.
type speaker struct {
	services *plugins.Services
	stop     func()
}

func (s *speaker) Decide(e *plugins.Exchange) plugins.Decision {
	text := "all have heard"
	if err := s.services.Tell(context.Background(), "speaker", []byte(e.Request.Path)); err != nil {
		text = err.Error()
	}
	return plugins.Respond(plugins.Text(200, text), "said")
}

func (s *speaker) Close() error {
	s.stop()
	return nil
}

// speaking is a worker whose requests are announcements; what it hears goes to the channel.
func speaking(o *Options, heard chan<- string) {
	o.Timings.AnnouncePause = time.Millisecond
	o.Plugins = append(o.Plugins, plugins.Factory{Category: "speaker", Summary: "Says the path to all workers.", Steps: []plugins.Step{plugins.Request},
		New: func(p *plugins.Parameters) (plugins.Plugin, error) {
			stop := p.Services().Hear("speaker", func(body []byte) {
				if string(body) == "panic" {
					panic("a test")
				}
				heard <- string(body)
			})
			return &speaker{p.Services(), stop}, nil
		}})
}

func speakerConfig() string {
	return "[plugins.s]\ncategory = \"speaker\"\n[locations.l]\npath = \"/\"\nplugins = [\"s\"]\n[servers.web]\naddr = \"LISTEN\"\nlocations = [\"l\"]\n"
}

// answerTo answers what the worker asked last, an announcement.
func (b *boss) answerTo(want string, answer ipc.Body) {
	b.t.Helper()
	for m := range b.in {
		m.Close()
		a, ok := m.Body.(*ipc.Announce)
		if !ok {
			continue
		}
		if a.Topic != "speaker" || string(a.Body) != want {
			b.t.Fatalf("it says %q to %q, want %q", a.Body, a.Topic, want)
		}
		if err := b.conn.Send(b.t.Context(), m.Txn, answer); err != nil {
			b.t.Fatal(err)
		}
		return
	}
	b.t.Fatal("the worker is gone")
}

func TestAPluginSpeaksToAllWorkers(t *testing.T) {
	b := hire(t, speakerConfig(), func(o *Options) { speaking(o, make(chan string, 1)) })
	c := b.dial()
	for i, said := range []struct {
		answers []ipc.Body
		want    string
	}{
		{[]ipc.Body{ipc.Announced{Workers: 2}}, "200 all have heard"},
		{[]ipc.Body{ipc.Announced{Workers: 1, Missing: []string{"worker 1: late"}}}, "200 announce speaker: not heard by worker 1: late"},
		{[]ipc.Body{ipc.Refused{Code: ipc.CodeBusy, Reason: "busy"}, ipc.Announced{Workers: 2}}, "200 all have heard"},
		{[]ipc.Body{ipc.Refused{Code: ipc.CodeInvalid, Reason: "too long"}}, "200 announce speaker: too long"},
		{[]ipc.Body{ipc.Unknown{Of: ipc.TypeAnnounce}}, "200 announce speaker: the supervisor's build knows nothing of announcements"},
	} {
		path := fmt.Sprintf("/%d", i)
		c.send(path)
		for _, a := range said.answers {
			b.answerTo(path, a)
		}
		if status, body, _ := c.answer(); fmt.Sprintf("%d %s", status, body) != said.want {
			t.Errorf("%d: %s, want %s", i, body, said.want)
		}
	}
}

func TestAnnouncementsAreHeardInOrderAndAnswered(t *testing.T) {
	heard := make(chan string, 10)
	b := hire(t, speakerConfig(), func(o *Options) { speaking(o, heard) })
	for n := range 5 {
		b.send(ipc.Announce{Topic: "speaker", Body: fmt.Append(nil, n)})
		b.send(ipc.Announce{Topic: "another", Body: []byte("not for it")})
	}
	for range 10 {
		if got := receive[*ipc.Announced](b); len(got.Missing) > 0 {
			t.Fatalf("%+v", got)
		}
	}
	for n := range 5 {
		if got := <-heard; got != fmt.Sprint(n) {
			t.Errorf("heard %s, want %d", got, n)
		}
	}
	b.send(ipc.Announce{Topic: "speaker", Body: []byte("panic")})
	if got := receive[*ipc.Announced](b); len(got.Missing) != 1 {
		t.Errorf("a plugin that fails: %+v", got)
	}
	b.send(ipc.Announce{Topic: "speaker", Body: []byte("on")})
	if got := receive[*ipc.Announced](b); len(got.Missing) > 0 || <-heard != "on" {
		t.Errorf("after that: %+v", got)
	}
}

// A worker that drains serves, so it hears as well.
func TestADrainingWorkerHears(t *testing.T) {
	heard := make(chan string, 1)
	b := hire(t, speakerConfig(), func(o *Options) { speaking(o, heard) })
	c := b.dial()
	c.send("/open")
	b.answerTo("/open", ipc.Announced{Workers: 1})
	c.answer()
	b.send(ipc.Drain{IdleGrace: patience, Timeout: patience})
	receive[*ipc.Draining](b)
	b.send(ipc.Announce{Topic: "speaker", Body: []byte("still")})
	if got := receive[*ipc.Announced](b); len(got.Missing) > 0 || <-heard != "still" {
		t.Errorf("%+v", got)
	}
}

// While a supervisor is being replaced an announcement waits, and is said again to the next one.
func TestAnnouncementsWaitForTheNextSupervisor(t *testing.T) {
	b, path := rescued(t, speakerConfig(), func(o *Options) {
		speaking(o, make(chan string, 1))
		o.Timings.Announce = patience
	})
	c := b.dial()
	c.send("/asked")
	for m := range b.in { // the supervisor dies with the question
		m.Close()
		if _, ok := m.Body.(*ipc.Announce); ok {
			break
		}
	}
	next := successor(t, path)
	b.conn.Close()
	orphan(t, next)
	b.takeOver(next, 1)
	b.answerTo("/asked", ipc.Announced{Workers: 1})
	if _, body, _ := c.answer(); body != "all have heard" {
		t.Error(body)
	}
}

func TestWithoutASupervisorAnAnnouncementIsAnError(t *testing.T) {
	b, _ := rescued(t, speakerConfig(), func(o *Options) {
		speaking(o, make(chan string, 1))
		o.Timings.Announce = 50 * time.Millisecond
	})
	c := b.dial()
	b.conn.Close()
	for m := range b.in {
		m.Close()
	}
	c.send("/alone")
	if _, body, _ := c.answer(); !strings.HasPrefix(body, "announce speaker: ") {
		t.Error(body)
	}
}

func TestAnnouncementsHaveBounds(t *testing.T) {
	w := &worker{o: Options{Timings: Timings{}.withDefaults()}, announcer: newAnnouncer()}
	for name, err := range map[string]error{
		"no topic": w.announce(t.Context(), "", nil), "long topic": w.announce(t.Context(), strings.Repeat("t", ipc.MaxTopic+1), nil),
		"long body": w.announce(t.Context(), "t", make([]byte, ipc.MaxAnnounce+1)),
	} {
		if err == nil || len(err.Error()) > 200 {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.announcer.turn <- struct{}{} // another speaks
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := w.announce(ctx, "t", nil); err == nil {
		t.Error("two at a time")
	}
}
