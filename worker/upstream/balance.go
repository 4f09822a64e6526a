package upstream

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"

	"pingap/message"
)

type algo uint8

const (
	algoRoundRobin algo = iota
	algoLeastConn
	algoRandom2
	algoHash
)

// balance is how backends are chosen.
type balance struct {
	algo algo
	by   hashBy
	name string // of the header, cookie or query key
}

// parseAlgo reads the algo of an upstream; what it does not know is round robin.
func parseAlgo(text string) balance {
	switch text {
	case "least_conn":
		return balance{algo: algoLeastConn}
	case "random2":
		return balance{algo: algoRandom2}
	}
	rest, ok := strings.CutPrefix(text, "hash:")
	if !ok {
		return balance{}
	}
	kind, name, _ := strings.Cut(rest, ":")
	return balance{algo: algoHash, by: parseHashBy(kind), name: strings.TrimSpace(name)}
}

// load is the requests in flight for a share; lower is better.
type load struct {
	inFlight int64
	weight   int64
}

func loadOf(e entry) load { return load{e.backend.InFlight(), int64(e.weight)} }

func (l load) less(other load) bool {
	return l.inFlight*other.weight < other.inFlight*l.weight
}

// leastConn returns the backend with the fewest requests in flight for its weight; among equals the
// one whose turn it is.
func (s *set) leastConn(turn *atomic.Uint64, tried []*Backend) *Backend {
	if len(s.schedule) == 0 {
		return nil
	}
	start := int(s.schedule[(turn.Add(1)-1)%uint64(len(s.schedule))])
	var best *Backend
	var lowest load
	for i := range s.entries {
		e := s.entries[(start+i)%len(s.entries)]
		if e.backend.Down() || contains(tried, e.backend) {
			continue
		}
		if l := loadOf(e); best == nil || l.less(lowest) {
			best, lowest = e.backend, l
		}
	}
	return best
}

// random2 draws two different backends by weight and returns the one with fewer requests in flight
// for its weight.
func (s *set) random2(turn *atomic.Uint64, tried []*Backend) *Backend {
	if len(tried) > 0 || len(s.entries)-s.down < 2 {
		return s.next(turn, tried)
	}
	first := s.entries[s.schedule[rand.IntN(len(s.schedule))]]
	second := first
	const draws = 8 // enough unless one backend has nearly all the weight
	for i := 0; i < draws && second.backend == first.backend; i++ {
		second = s.entries[s.schedule[rand.IntN(len(s.schedule))]]
	}
	if loadOf(second).less(loadOf(first)) {
		return second.backend
	}
	return first.backend
}

// key hashes what the choice depends on; a value that the request lacks is empty.
func (b *balance) key(rec *message.Record) uint64 {
	r := &rec.Request
	switch b.by {
	case byURL:
		return hashBytes(r.Target)
	case byIP:
		return hashBytes(rec.ClientIPText)
	case byHeader:
		value, _ := r.Fields.Lookup(b.name)
		return hashBytes(value)
	case byCookie:
		value, _ := r.Fields.CookieValue(b.name)
		return hashBytes(value)
	case byQuery:
		value, _ := r.QueryValue(b.name)
		return hashBytes(value)
	}
	return hashBytes(r.Path)
}
