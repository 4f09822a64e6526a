package proxy

import (
	"go.uber.org/zap"

	"pingap/message"
	"pingap/plugins"
)

// Instances in shadow mode (mode = "shadow") are asked with a copy of the exchange, of which nothing comes back but what they would have
// answered. A panic is theirs alone.

// shadowed returns the copy of the exchange as it is now. What plugins wait for on it ends with the exchange.
func (s *session) shadowed() *plugins.Exchange {
	if s.shadow == nil {
		s.shadow = new(plugins.Exchange)
	}
	e := s.shadow
	e.CopyFrom(&s.ex.Record)
	e.UpstreamOverride, e.Shadow = s.ex.UpstreamOverride, true
	return e
}

// watchDecider asks an instance in shadow mode, and says now and then what it would have done.
func (c *conn) watchDecider(i *plugins.Instance) {
	c.guarded(func() {
		d := i.Decider.Decide(c.s.shadowed())
		i.Watched.Asked.Add(1)
		if d.Answer == nil {
			return
		}
		c.closeAnswer(d.Answer)
		if count, say := i.Watched.Would(message.Now()); say {
			c.p.log.Info("a plugin in shadow mode would have answered", zap.String("plugin", i.Name), zap.String("location", c.s.ex.Location),
				zap.String("reason", d.Reason), zap.Int("status", d.Answer.Status), zap.Uint64("count", count))
		}
	})
}
