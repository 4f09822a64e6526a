package tally

import (
	"time"

	"pingap/arena"
	"pingap/arena/tally"
)

// Storage counts what caches read from files and write to them. It is of the instance: files belong to no server.
type Storage struct {
	block            *tally.Block
	reading, writing *arena.Counter
}

// NewStorage returns the handle; nil where there is no room for one, or the process only reads: no cache needs its figures.
func NewStorage(a *arena.Arena) *Storage {
	if a == nil {
		return nil
	}
	k := tally.Key{Kind: tally.HostBlock}
	s := &Storage{}
	var errs [3]error
	s.block, errs[0] = tally.Open(a, k)
	s.reading, errs[1] = a.Counter(tally.Gauges()[tally.CacheReading].Of(k))
	s.writing, errs[2] = a.Counter(tally.Gauges()[tally.CacheWriting].Of(k))
	for _, err := range errs {
		if err != nil {
			return nil
		}
	}
	return s
}

// Reading adds to what is being read, Writing to what is being written.
func (s *Storage) Reading(n int64) {
	if s != nil {
		s.reading.Add(n)
	}
}

// Writing is described there.
func (s *Storage) Writing(n int64) {
	if s != nil {
		s.writing.Add(n)
	}
}

// Read counts a response that was found and whose head was read, Wrote one that has its name.
func (s *Storage) Read(took time.Duration) {
	if s != nil {
		s.block.Observe(tally.StorageReadTime, int64(took))
	}
}

// Wrote is described there.
func (s *Storage) Wrote(took time.Duration) {
	if s != nil {
		s.block.Observe(tally.StorageWriteTime, int64(took))
	}
}
