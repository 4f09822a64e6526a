package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"pingap/ipc"
)

// maxHeard bounds the announcements that wait to be heard. The supervisor sends the next one when this was answered, or two seconds later.
const maxHeard = 16

var (
	errNoSupervisor = errors.New("there is no supervisor to pass it on")
	errEnded        = errors.New("this worker ends")
)

// announcer is both ends of what workers say to one another (ipc.Announce). It belongs to the loop but for what says otherwise.
type announcer struct {
	turn    chan struct{} // any goroutine: who holds it may speak
	waiting map[uint32]chan<- ipc.Body
	txn     uint32
	heard   chan heard // what the hearing goroutine is to do
}

// heard is an announcement that came.
type heard struct {
	txn uint32
	*ipc.Announce
}

func newAnnouncer() announcer {
	return announcer{turn: make(chan struct{}, 1), waiting: map[uint32]chan<- ipc.Body{}, heard: make(chan heard, maxHeard)}
}

// announce is plugins.Services.Tell. Any goroutine may call it; one after the other speaks. While a supervisor is being replaced it waits,
// in the bounds of ctx and of Timings.Announce, and says again what was not answered.
func (w *worker) announce(ctx context.Context, topic string, body []byte) error {
	a := ipc.Announce{Topic: topic, Body: body}
	if !a.Valid() {
		return fmt.Errorf("announce %.64q: %d bytes, at most %d", topic, len(body), ipc.MaxAnnounce)
	}
	ctx, cancel := context.WithTimeout(ctx, w.o.Timings.Announce)
	defer cancel()
	select {
	case w.announcer.turn <- struct{}{}:
		defer func() { <-w.announcer.turn }()
	case <-ctx.Done():
		return fmt.Errorf("announce %.64s: %w", topic, ctx.Err())
	}
	for {
		again, err := w.announceOnce(ctx, &a)
		if err == nil {
			return nil
		}
		if !again || !pause(ctx, w.o.Timings.AnnouncePause) {
			return fmt.Errorf("announce %.64s: %w", topic, err)
		}
	}
}

// pause waits; false if ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// announceOnce asks the supervisor to pass it on, and awaits the answer; again says whether asking once more may help.
func (w *worker) announceOnce(ctx context.Context, a *ipc.Announce) (again bool, err error) {
	answer := make(chan ipc.Body, 1)
	txn := uint32(0)
	if !w.post(func() { txn = w.speak(a, answer) }) {
		return false, errEnded
	}
	select {
	case b := <-answer:
		return judge(b)
	case <-w.done:
		return false, errEnded
	case <-ctx.Done():
		w.post(func() { delete(w.announcer.waiting, txn) })
		return false, ctx.Err()
	}
}

// speak runs in the loop. The answer is nil where there is nobody to ask.
func (w *worker) speak(a *ipc.Announce, answer chan<- ipc.Body) uint32 {
	l := &w.announcer
	l.txn++
	if w.conn == nil || w.lifeline.shown != nil {
		answer <- nil
		return l.txn
	}
	if err := w.send(l.txn, *a); err != nil {
		w.log.Warn("the supervisor was not told", zap.Stringer("message", a.Type()), zap.Error(err))
		answer <- nil
		return l.txn
	}
	l.waiting[l.txn] = answer
	return l.txn
}

// judge reads the supervisor's answer.
func judge(answer ipc.Body) (again bool, err error) {
	switch b := answer.(type) {
	case *ipc.Announced:
		if len(b.Missing) > 0 {
			return false, fmt.Errorf("not heard by %s", strings.Join(b.Missing, "; "))
		}
		return false, nil
	case *ipc.Refused:
		return b.Code == ipc.CodeBusy, errors.New(b.Reason)
	case nil:
		return true, errNoSupervisor
	}
	return false, errors.New("the supervisor's build knows nothing of announcements")
}

// answered hands an answer to who waits for it.
func (w *worker) answered(txn uint32, answer ipc.Body) {
	if waiter := w.announcer.waiting[txn]; waiter != nil {
		delete(w.announcer.waiting, txn)
		waiter <- answer
	}
}

// unanswered tells all who wait that the supervisor they asked will not answer.
func (w *worker) unanswered() {
	for txn := range w.announcer.waiting {
		w.answered(txn, nil)
	}
}

// hear has an announcement heard. It is answered then, unless there are too many.
func (w *worker) hear(txn uint32, a *ipc.Announce) ipc.Body {
	select {
	case w.announcer.heard <- heard{txn, a}:
		return nil
	default:
		return ipc.Announced{Missing: []string{"it does not come to hear them"}}
	}
}

// hearing gives announcements to plugins, one at a time: a long one must not hold up the loop.
func (w *worker) hearing() {
	for {
		select {
		case h := <-w.announcer.heard:
			answer := w.hearOne(h.Announce)
			w.post(func() { w.reply(h.txn, answer) })
		case <-w.done:
			return
		}
	}
}

// hearOne is where a plugin's panic ends.
func (w *worker) hearOne(a *ipc.Announce) (answer ipc.Announced) {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("a plugin failed to hear an announcement", zap.String("topic", a.Topic), zap.Any("panic", p), zap.Stack("stack"))
			answer.Missing = []string{"a plugin failed"}
		}
	}()
	w.services.Heard(a.Topic, a.Body)
	return answer
}
