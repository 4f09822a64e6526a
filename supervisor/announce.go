package supervisor

import (
	"go.uber.org/zap"

	"pingap/ipc"
)

// maxAnnouncements wait at a time. A worker says one after the other, so it takes many workers to get there.
const maxAnnouncements = 64

// announcements are what workers and control say to all workers. One goes out at a time: so a worker that reads slowly has one of them
// in its socket, and is not taken for one that hangs.
type announcements struct {
	queue []*announcement
	now   *announcement // nil for none
	txn   uint32        // of now
}

// announcement is one of them. Nothing is kept of it once it was answered.
type announcement struct {
	request
	*ipc.Announce
	waiting map[*child]struct{}
	said    ipc.Announced
	timer   *timer
}

// announce passes a word on to all workers that serve, those that drain among them, and answers when they have heard it.
func (s *supervisor) announce(from request, b *ipc.Announce) {
	l := &s.announcements
	switch {
	case !b.Valid():
		from.answer(s, ipc.Refused{Code: ipc.CodeInvalid, Reason: "the announcement is too long, or has no topic"})
	case s.upgrade != nil || s.adopting != nil || len(l.queue) >= maxAnnouncements:
		from.answer(s, ipc.Refused{Code: ipc.CodeBusy, Reason: "another supervisor takes over, or too much is being said"})
	default:
		l.queue = append(l.queue, &announcement{request: from, Announce: b, waiting: map[*child]struct{}{}})
		s.nextAnnouncement()
	}
}

// nextAnnouncement begins with the next one when there is none under way.
func (s *supervisor) nextAnnouncement() {
	l := &s.announcements
	if l.now != nil || len(l.queue) == 0 {
		return
	}
	a := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	l.now, l.txn = a, s.nextTxn()
	for c := range s.children {
		if c.takesState() && s.send(c, l.txn, *a.Announce) {
			a.waiting[c] = struct{}{}
		}
	}
	a.timer = s.after(s.o.Timings.Announce, s.announcementLate)
	s.announcementProgress()
}

// announced is a worker's answer; why says that it has not heard it after all.
func (s *supervisor) announced(c *child, txn uint32, why string) {
	a := s.announcements.now
	if a == nil || txn != s.announcements.txn {
		return // too late
	}
	if _, waited := a.waiting[c]; !waited {
		return
	}
	delete(a.waiting, c)
	if why == "" {
		a.said.Workers++
	} else {
		a.said.Missing = append(a.said.Missing, c.name()+": "+clip(why))
	}
	s.announcementProgress()
}

// announcementLost forgets a worker that has ended: what it was to forget has ended with it.
func (s *supervisor) announcementLost(c *child) {
	if a := s.announcements.now; a != nil {
		delete(a.waiting, c)
		s.announcementProgress()
	}
}

func (s *supervisor) announcementLate() {
	a := s.announcements.now
	for c := range a.waiting {
		a.said.Missing = append(a.said.Missing, c.name()+": did not answer in time")
		delete(a.waiting, c)
	}
	s.announcementProgress()
}

func (s *supervisor) announcementProgress() {
	l := &s.announcements
	a := l.now
	if len(a.waiting) > 0 {
		return
	}
	a.timer.cancel()
	l.now = nil
	if len(a.said.Missing) > 0 {
		s.log.Warn("not all workers have heard what another said", zap.String("topic", clip(a.Topic)), zap.Strings("missing", a.said.Missing))
	}
	a.answer(s, a.said)
	s.nextAnnouncement()
}
