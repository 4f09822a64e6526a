package supervisor

import (
	"slices"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// maxExplains are asked of workers at a time.
const maxExplains = 8

// explaining are questions of control that workers have not answered, by the number that they were sent with. Nobody here looks into them.
type explaining map[uint32]*explained

// explained is one of them.
type explained struct {
	request
	to    *child
	timer *timer
}

// explain asks the worker with most to do, and answers in the time of an announcement.
func (s *supervisor) explain(from request, m *ipc.Message, b *ipc.Explain) {
	to := s.busiest()
	fd, err := m.Take(b.Answer)
	if err != nil {
		from.answer(s, ipc.Refused{Code: ipc.CodeInvalid, Reason: "there is no room for the answer"})
		return
	}
	defer unix.Close(fd)
	switch {
	case len(b.Body) > ipc.MaxExplain:
		from.answer(s, ipc.Refused{Code: ipc.CodeInvalid, Reason: "the question is too long"})
		return
	case s.upgrade != nil || s.adopting != nil || to == nil || len(s.explaining) >= maxExplains:
		from.answer(s, ipc.Refused{Code: ipc.CodeBusy, Reason: "no worker can be asked at the moment"})
		return
	}
	txn := s.nextTxn()
	var fds ipc.FDs
	b.Answer = fds.Add(fd)
	if !s.send(to, txn, *b, fds...) {
		from.answer(s, ipc.Refused{Code: ipc.CodeBusy, Reason: "the worker does not listen"})
		return
	}
	ask := &explained{request: from, to: to}
	ask.timer = s.after(s.o.Timings.Announce, func() { s.explainFailed(txn, "the worker did not answer in time") })
	if s.explaining == nil {
		s.explaining = explaining{}
	}
	s.explaining[txn] = ask
}

// busiest is the worker of the newest generation with most requests in process, and of these the one that had most; nil for none.
func (s *supervisor) busiest() *child {
	all := s.activeWorkers()
	if len(all) == 0 {
		return nil
	}
	return slices.MaxFunc(all, func(a, b *child) int {
		if a.generation != b.generation {
			return a.generation - b.generation
		}
		x, y := load(a), load(b)
		if x[0] != y[0] {
			return int(x[0] - y[0])
		}
		return int(x[1] - y[1])
	})
}

// load is what a worker has and had to do, by its last word.
func load(c *child) [2]int64 {
	if c.status == nil {
		return [2]int64{}
	}
	return [2]int64{c.status.InFlight, int64(c.status.Requests)}
}

// workerExplained hands a worker's answer on.
func (s *supervisor) workerExplained(c *child, txn uint32, b *ipc.Explained) {
	ask := s.explaining[txn]
	if ask == nil || ask.to != c {
		return // too late
	}
	delete(s.explaining, txn)
	ask.timer.cancel()
	b.Problem = clip(b.Problem)
	ask.answer(s, *b)
}

// explainFailed answers what no worker does.
func (s *supervisor) explainFailed(txn uint32, why string) {
	if ask := s.explaining[txn]; ask != nil {
		delete(s.explaining, txn)
		ask.timer.cancel()
		ask.answer(s, ipc.Refused{Code: ipc.CodeBusy, Reason: why})
	}
}

// explainLost answers for a worker that has ended.
func (s *supervisor) explainLost(c *child) {
	for txn, ask := range s.explaining {
		if ask.to == c {
			s.explainFailed(txn, "the worker has ended")
		}
	}
}
