package upstream

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"pingap/arena/backend"
)

// warnEvery is how often failures of the handshake with one backend are logged.
const warnEvery = int64(10 * time.Second)

// warnTLS logs why a backend was refused, or refused us, with the number of failures since the last
// such line. A client that left is no failure.
func (u *Upstream) warnTLS(b *Backend, name string, err *ConnectError) {
	if errors.Is(err, context.Canceled) {
		return
	}
	count := b.refusals.Add(1)
	now, last := u.now(), b.warned.Load()
	if last != 0 && now-last < warnEvery || !b.warned.CompareAndSwap(last, max(now, 1)) {
		return
	}
	b.refusals.Add(-count)
	u.logger.Warn("TLS with a backend failed", zap.String("upstream", u.Name), zap.String("addr", b.Addr),
		zap.String("sni", name), zap.String("kind", err.EType()), zap.Int64("failures", count), zap.Error(err.Err))
}

// tellEjected logs that a backend is out for a while.
func (u *Upstream) tellEjected(b *Backend) {
	s := backend.Read(b.current().rec, u.hostNow())
	u.logger.Warn("backend ejected after failures in a row", zap.String("upstream", u.Name), zap.String("addr", b.Addr),
		zap.Duration("out_for", s.EjectedFor.Round(time.Millisecond)), zap.Int("times_in_a_row", s.EjectTimes))
}
