package recent

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pingap/arena"
	"pingap/arena/tally"
	"pingap/config"
	"pingap/control/endpoints"
	"pingap/ipc"
)

// Bounds of sampling.
const (
	period     = time.Second
	statusRest = 5 * time.Second  // between two questions to the supervisor while nobody looks
	statusTime = 2 * time.Second  // for its answer
	watchTime  = 10 * time.Second // somebody who asked has looked for so long
	maxSlots   = 64               // that have a track
	fewKeys    = 1000             // up to here all totals are read each second
	idleTurns  = 5                // beyond, those that nothing was ever counted in each so many seconds
)

// Sampler reads and keeps. Its fields are set before Run, its methods may be called by any goroutine.
type Sampler struct {
	// Arena is read; nil has no totals.
	Arena *arena.Arena
	// Status asks the supervisor, nil where it did not answer; Upstreams is what control knows of backends. Required.
	Status    func(context.Context) *ipc.StatusAll
	Upstreams func() []endpoints.Upstream
	// Proc is where the kernel tells of processes; empty is /proc.
	Proc string

	heard atomic.Pointer[heard]
	asked atomic.Int64  // when somebody looked last, in Unix nanoseconds
	kick  chan struct{} // somebody has come to look

	mu        sync.Mutex // guards all below
	n         uint64     // samples so far
	at        time.Time  // of the last
	stamps    [fineLength]int64
	folds     [coarseLength]int64 // ms, of the coarse ones
	total     *object
	locations []*object
	upstreams []*object
	objects   []*object // both
	keys      int
	tracked   int
	usages    map[int]*usage // by pid
	slots     map[string]*track
	words     []int64
	streams   map[chan []byte]struct{}
}

// heard is an answer of the supervisor.
type heard struct {
	all *ipc.StatusAll
	at  time.Time
}

// Init makes it usable.
func (s *Sampler) Init() {
	if s.Proc == "" {
		s.Proc = "/proc"
	}
	s.kick = make(chan struct{}, 1)
	s.total = &object{kind: tally.LocationBlock, track: &track{from: 1}}
	s.usages, s.slots, s.streams = map[int]*usage{}, map[string]*track{}, map[chan []byte]struct{}{}
	s.words = make([]int64, 0, arena.TotalWords)
}

// SetConfig makes a configuration the one that names what has figures.
func (s *Sampler) SetConfig(c *config.Snapshot) error {
	n, err := namesOf(c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setNamesLocked(n)
	return nil
}

func (s *Sampler) setNamesLocked(n *names) {
	s.total.become(n.total)
	s.locations = objectsOf(tally.LocationBlock, n.locations, s.locations)
	s.upstreams = objectsOf(tally.UpstreamBlock, n.upstreams, s.upstreams)
	s.objects = slices.Concat(s.locations, s.upstreams)
	s.keys, s.tracked = len(n.total), 0
	for _, o := range s.objects {
		s.keys += len(o.keys)
		if o.track != nil {
			s.tracked++
		}
	}
}

// Run samples until ctx ends.
func (s *Sampler) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { s.listen(ctx) }) // ends with ctx
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.sample(time.Now())
			s.broadcast()
		}
	}
}

// listen asks the supervisor, more often while somebody looks.
func (s *Sampler) listen(ctx context.Context) {
	for ctx.Err() == nil {
		s.ask(ctx)
		rest := statusRest
		if s.watched() {
			rest = period
		}
		timer := time.NewTimer(rest)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-s.kick:
		}
		timer.Stop()
	}
}

func (s *Sampler) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	if all := s.Status(ctx); all != nil {
		s.heard.Store(&heard{all, time.Now()})
	}
}

// look notes that somebody does.
func (s *Sampler) look() {
	fresh := !s.watched()
	s.asked.Store(time.Now().UnixNano())
	if !fresh {
		return
	}
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

func (s *Sampler) watched() bool {
	return time.Now().UnixNano()-s.asked.Load() < int64(watchTime)
}

// sample makes one of everything.
func (s *Sampler) sample(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	s.at = now
	s.stamps[s.n%fineLength] = now.UnixMilli()
	if s.Arena != nil {
		s.readLocked(now)
	}
	s.processesLocked(now)
	if s.n%coarseStep != 0 {
		return
	}
	s.folds[s.n/coarseStep%coarseLength] = now.UnixMilli()
	s.total.track.fold(s.n)
	for _, t := range s.slots {
		t.fold(s.n)
	}
	for _, o := range s.objects {
		if o.track != nil {
			o.track.fold(s.n)
		}
	}
	s.chooseLocked()
}

// readLocked reads the totals.
func (s *Sampler) readLocked(now time.Time) {
	s.total.read(s.Arena, now, s.words)
	for i, o := range s.objects {
		if s.keys > fewKeys && o.idle && o.seen && (uint64(i)+s.n)%idleTurns != 0 {
			o.delta = sums{} // what it turns out to have counted is spread over the seconds in which nobody looked
		} else {
			o.read(s.Arena, now, s.words)
		}
		if o.track == nil && o.delta.requests > 0 && s.tracked < maxTracked {
			o.track = &track{from: s.n}
			s.tracked++
		}
		if o.track != nil {
			o.track.put(s.n, o.sample(), &o.delta, o.span)
		}
	}
}

// chooseLocked has those tracked that are much busier than one that is, once there is no room for all.
func (s *Sampler) chooseLocked() {
	if s.tracked < maxTracked {
		return
	}
	var least, most *object
	for _, o := range s.objects {
		switch {
		case o.track != nil && (least == nil || o.load < least.load):
			least = o
		case o.track == nil && (most == nil || o.load > most.load):
			most = o
		}
	}
	if least == nil || most == nil || most.load <= 2*least.load {
		return
	}
	most.track, least.track = least.track, nil
	*most.track = track{from: s.n + 1}
}

// processesLocked looks at the processes that the supervisor named last.
func (s *Sampler) processesLocked(now time.Time) {
	heard := s.heard.Load()
	var list []ipc.Process
	if heard != nil {
		list = heard.all.Processes
	}
	rows := map[string]*sample{}
	all := unknown()
	usages := make(map[int]*usage, len(list))
	for i := range list {
		p := &list[i]
		u := s.usages[p.PID]
		if u == nil {
			u = &usage{}
		}
		got, ok := readSpent(s.Proc, p.PID, now)
		if !ok {
			continue // it has ended
		}
		u.look(got)
		usages[p.PID] = u
		row := rows[slotName(p)]
		if row == nil {
			r := unknown()
			row = &r
			rows[slotName(p)] = row
		}
		for _, r := range []*sample{row, &all} {
			addProcess(r, p, u)
		}
	}
	s.usages = usages
	s.putLocked(&all, rows)
}

// addProcess adds what is known of a process to a row.
func addProcess(r *sample, p *ipc.Process, u *usage) {
	plus := func(column int, v float64) {
		if r[column] != r[column] { // NaN
			r[column] = 0
		}
		r[column] += float32(v)
	}
	plus(memory, float64(u.last.memory))
	if u.known {
		plus(cpu, u.percent)
	}
	if p.Kind == ipc.RoleWorker {
		plus(connections, float64(open(p)))
	}
}

// putLocked enters what is known of all processes, and of each slot.
func (s *Sampler) putLocked(all *sample, rows map[string]*sample) {
	row := s.total.sample()
	for _, c := range []int{connections, cpu, memory} {
		row[c] = all[c]
	}
	s.total.track.put(s.n, row, &s.total.delta, s.total.span)
	for name, row := range rows {
		t := s.slots[name]
		if t == nil && len(s.slots) < maxSlots {
			t = &track{from: s.n}
			s.slots[name] = t
		}
		if t != nil {
			t.put(s.n, *row, nil, 0)
		}
	}
	for name, t := range s.slots {
		if rows[name] == nil {
			t.put(s.n, unknown(), nil, 0)
		}
	}
}
