package georestriction

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pingap/message"
	"pingap/plugins"
)

const (
	// lookEvery is how long a file is taken to be the one that it was.
	lookEvery = 10 * time.Second
	// settled is how old a file must be to be believed that nobody writes to it any more: within it two states may have the same time.
	settled = 2 * time.Second
)

// database is one file, shared by all instances of the process that name it.
type database struct {
	path string
	log  *zap.Logger

	current atomic.Pointer[edition] // nil until it was read
	next    atomic.Int64            // when the file is looked at again, on the clock of message.Now

	mu   sync.Mutex // guards seen; held while the file is read
	seen identity   // the state that was read, or refused
}

// country returns where an address is; false while there is no database.
func (d *database) country(address netip.Addr) (country, bool) {
	e := d.edition()
	if e == nil {
		return unknown, false
	}
	return e.country(address), true
}

// edition returns the current state of the file. One request in 10 s looks whether it is another one; others go on with what is there.
func (d *database) edition() *edition {
	e := d.current.Load()
	now := message.Now()
	switch {
	case e == nil:
		d.mu.Lock()
	case now < d.next.Load() || !d.mu.TryLock():
		return e
	}
	defer d.mu.Unlock()
	if now >= d.next.Load() {
		d.lookLocked(now)
	}
	return d.current.Load()
}

// lookLocked looks whether the file is another one, and says what came of it.
func (d *database) lookLocked(now int64) {
	d.next.Store(now + int64(lookEvery))
	before := d.current.Load()
	switch err := d.readLocked(); {
	case err != nil && before == nil:
		d.log.Error("a database of countries cannot be used, requests that need it get 503", zap.String("file", d.path), zap.Error(err))
	case err != nil:
		d.log.Warn("a database of countries cannot be used, the one before stays", zap.String("file", d.path), zap.Error(err))
	case before != nil && before != d.current.Load():
		d.log.Info("a database of countries was read anew", zap.String("file", d.path), zap.Time("built", d.current.Load().reader.Metadata.BuildTime()))
	}
}

// readLocked reads the file if it is another one than before. What was refused once is not read again.
func (d *database) readLocked() error {
	id, err := identify(d.path)
	if err != nil {
		if d.seen == (identity{}) && d.current.Load() != nil {
			return nil // said already
		}
		d.seen = identity{}
		return err
	}
	if id == d.seen {
		return nil
	}
	e, id, err := read(d.path)
	d.seen = id
	if time.Since(time.Unix(0, id.modified)) < settled {
		d.seen.modified-- // once more when it has settled
	}
	if err == nil {
		d.current.Store(e)
	}
	return err
}

// shelf holds the databases of a process, one for each path.
type shelf struct {
	mu   sync.Mutex
	open map[string]*holding // guarded by mu
}

type holding struct {
	database *database
	users    int
}

// shelfOf returns the shelf of the process.
func shelfOf(s *plugins.Services) *shelf {
	return s.Keep("geo_restriction", func() any { return &shelf{open: map[string]*holding{}} }).(*shelf)
}

// take returns the database of a path, read if that can be done. Control has found that it can; where the file has gone since, a worker that
// takes the place of a dead one must serve all the same.
func (s *shelf) take(path string, log *zap.Logger) *database {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.open[path]
	if h == nil {
		h = &holding{database: &database{path: path, log: log}}
		h.database.edition()
		s.open[path] = h
	}
	h.users++
	return h.database
}

// giveBack forgets a database that nobody uses any more.
func (s *shelf) giveBack(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.open[path]
	if h.users--; h.users == 0 {
		delete(s.open, path)
	}
}
