package worker

import (
	"runtime"
	"sync"
	"time"

	"go.uber.org/zap"

	"pingap/worker/proxy"
)

// collectAfter is when, after a change, a collection finds out that the site before it is over. A worker
// that allocates nothing would else keep it, with the logs and plugins that only it used, for minutes.
const collectAfter = 5 * time.Second

// shared is something that several sites may use and that needs closing after the last of them: a plugin's instance, the
// writer of an access log.
type shared struct {
	name  string
	close func() error
}

// owners counts the sites that use each shared thing. A site is over when no request refers to it any more: the garbage
// collector tells, within minutes at the latest, so that requests pay nothing. Whoever holds a *proxy.Site keeps
// its plugins and logs open.
type owners struct {
	mu   sync.Mutex      // guards all below
	uses map[*shared]int // sites, prepared ones included
	dead []*shared       // to be closed by the loop
}

// hold counts one more site for a thing.
func (o *owners) hold(s *shared) {
	o.mu.Lock()
	o.uses[s]++
	o.mu.Unlock()
}

// release takes one site off the count of each.
func (o *owners) release(list []*shared) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range list {
		if o.uses[s]--; o.uses[s] == 0 {
			delete(o.uses, s)
			o.dead = append(o.dead, s)
		}
	}
}

// whenOver releases the list when the site is over. Nothing in the list may refer to the site.
func (o *owners) whenOver(s *proxy.Site, list []*shared) {
	runtime.AddCleanup(s, o.release, list)
}

// bury closes what no site uses any more.
func (o *owners) bury(log *zap.Logger) {
	o.mu.Lock()
	dead := o.dead
	o.dead = nil
	o.mu.Unlock()
	closeShared(dead, log)
}

// buryAll closes everything, used or not: nothing is served any more.
func (o *owners) buryAll(log *zap.Logger) {
	o.bury(log)
	o.mu.Lock()
	var all []*shared
	for s := range o.uses {
		all = append(all, s)
	}
	clear(o.uses)
	o.mu.Unlock()
	closeShared(all, log)
}

func closeShared(list []*shared, log *zap.Logger) {
	for _, s := range list {
		if err := s.close(); err != nil {
			log.Warn("not closed cleanly", zap.String("name", s.name), zap.Error(err))
		}
	}
}
