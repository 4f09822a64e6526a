package georestriction

import (
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pingap/message"
)

// sayEvery bounds the log: a line for each country in this time.
const sayEvery = 10 * time.Second

// sightings count requests by country, and say them in the log.
type sightings struct {
	log    *zap.Logger
	plugin string
	listed *set
	counts [countries]count
}

// count is that of one country.
type count struct {
	unsaid atomic.Int64 // requests since the last line
	next   atomic.Int64 // when a line may be written again, on the clock of message.Now
}

// note counts a request. The first from a country is said at once, further ones with the first that comes when their time has come.
func (s *sightings) note(c country) {
	each := &s.counts[c]
	each.unsaid.Add(1)
	now, next := message.Now(), each.next.Load()
	if now < next || !each.next.CompareAndSwap(next, now+int64(sayEvery)) {
		return
	}
	s.log.Info("requests from a country", zap.String("plugin", s.plugin), zap.Stringer("country", c),
		zap.Bool("listed", s.listed[c]), zap.Int64("requests", each.unsaid.Swap(0)))
}
