package upstream

// IdleSince is when the connection was last put into the pool, on the clock of the upstream. Who has
// taken it may ask.
func (c *Conn) IdleSince() int64 { return c.idleSince }
