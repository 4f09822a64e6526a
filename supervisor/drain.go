package supervisor

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"pingap/ipc"
	"pingap/supervisor/ledger"
)

// drainOf is the order to a worker that has been replaced.
func (s *supervisor) drainOf(reason string) ipc.Drain {
	t := s.o.Timings
	var d ipc.DrainSettings
	if s.live != nil {
		d = s.live.settings.Drain
	}
	grace := s.grace()
	long := max(grace, orDefault(d.LongTimeout, t.Long))
	spread := orDefault(d.Spread, t.Spread)
	return ipc.Drain{IdleGrace: orDefault(d.IdleGrace, t.IdleGrace), Spread: spread, Timeout: grace,
		LongTimeout: long, Hard: max(long+spread, d.Longest) + t.HardMargin, Reason: reason}
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// drain lets a worker finish outside of its slot; record counts how that ends.
func (s *supervisor) drain(c *child, order ipc.Drain, r *ledger.Entry) {
	s.draining(c, order, r)
	s.send(c, 0, order)
}

// draining notes that a worker drains.
func (s *supervisor) draining(c *child, order ipc.Drain, r *ledger.Entry) {
	c.timer.cancel()
	c.state, c.retired, c.lastSeen, c.record = ipc.StateDraining, true, time.Now(), r
	s.ledger.Drains(r)
	c.timer = s.after(order.Hard+s.margin(), func() { s.kill(c, "did not drain in time") })
	s.noteGap()
	s.changed()
}

// boundDraining hurries the oldest draining generations where there are more, or where they use more memory, than is allowed.
func (s *supervisor) boundDraining() {
	if s.live == nil || s.stop != nil {
		return
	}
	most := s.live.settings.Drain.MaxGenerations
	if most <= 0 {
		most = s.o.Timings.MaxGenerations
	}
	generations, memory := s.drainingGenerations()
	limit := s.live.settings.Drain.MaxMemory
	if limit <= 0 {
		limit = s.memory / 100 * drainMemoryPercent
	}
	for len(generations) > most || memory > limit && len(generations) > 0 {
		oldest := slices.Min(slices.Collect(maps.Keys(generations)))
		why := fmt.Sprintf("%d generations drain, at most %d may", len(generations), most)
		if len(generations) <= most {
			why = fmt.Sprintf("draining workers use %d bytes, at most %d may be", memory, limit)
		}
		for _, c := range generations[oldest] {
			memory -= rss(c)
			s.hurry(c, why)
		}
		delete(generations, oldest)
	}
}

// room says whether the arena has columns for all workers of a proposal. Where it has not, the oldest generations that drain have to make
// room, and a worker that ends comes back to what waits.
func (s *supervisor) room(p *proposal) bool {
	settings := p.Settings
	if p.again && s.live != nil {
		settings = s.live.settings
	}
	need, free, leaving := s.workerCount(settings), 0, 0
	for _, c := range s.columns {
		switch {
		case c == nil:
			free++
		case c.hurried || c.dying != "":
			leaving++
		}
	}
	generations, _ := s.drainingGenerations()
	for free < need && free+leaving < need && len(generations) > 0 {
		oldest := slices.Min(slices.Collect(maps.Keys(generations)))
		for _, c := range generations[oldest] {
			s.hurry(c, "fresh workers need its place")
			leaving++
		}
		delete(generations, oldest)
	}
	return free >= need || leaving == 0 // without hope begin says what is missing
}

// drainMemoryPercent is the share of the memory that draining workers may use where the configuration does not say.
const drainMemoryPercent = 30

// drainingGenerations are the draining workers that have not been hurried yet, and the memory they use.
func (s *supervisor) drainingGenerations() (map[int][]*child, int64) {
	all, memory := map[int][]*child{}, int64(0)
	for c := range s.children {
		if c.state == ipc.StateDraining && c.dying == "" && !c.hurried {
			all[c.generation] = append(all[c.generation], c)
			memory += rss(c)
		}
	}
	return all, memory
}

func rss(c *child) int64 {
	if c.status == nil {
		return 0
	}
	return max(0, min(c.status.RSS, 1<<46)) // a worker's word: keep sums sane
}

// hurry leaves a draining worker a short time.
func (s *supervisor) hurry(c *child, why string) {
	c.hurried = true
	s.hurried++
	s.log.Warn("draining faster", c.fields(), zap.Int("generation", c.generation), zap.String("reason", why))
	s.send(c, 0, ipc.DrainFaster{Timeout: s.o.Timings.Faster})
	c.timer.cancel()
	c.timer = s.after(s.o.Timings.Faster+s.margin(), func() { s.kill(c, "did not drain in time: "+why) })
}
