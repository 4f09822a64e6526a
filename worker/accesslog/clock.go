package accesslog

import (
	"sync/atomic"
	"time"
)

// clock renders points in time. Up to the second they are rendered once and shared: many lines fall
// into the same one.
type clock struct {
	second atomic.Pointer[rendered]
}

// rendered is a second as text; it is never changed once shared.
type rendered struct {
	unix       int64
	local, utc string // up to the point before the milliseconds
	zone       string // numeric offset of local
}

const untilPoint = "2006-01-02T15:04:05."

// at returns the second that holds ms, milliseconds since 1970.
func (c *clock) at(ms int64) *rendered {
	unix := time.UnixMilli(ms).Unix()
	if r := c.second.Load(); r != nil && r.unix == unix {
		return r
	}
	t := time.Unix(unix, 0)
	r := &rendered{unix: unix, local: t.Format(untilPoint), zone: t.Format("-07:00"), utc: t.UTC().Format(untilPoint)}
	c.second.Store(r)
	return r
}

// appendLocal appends ms as local RFC 3339 with a numeric offset.
func (c *clock) appendLocal(dst []byte, ms int64) []byte {
	r := c.at(ms)
	return append(appendThree(append(dst, r.local...), ms-r.unix*1000), r.zone...)
}

// appendUTC appends ms as RFC 3339 in UTC.
func (c *clock) appendUTC(dst []byte, ms int64) []byte {
	r := c.at(ms)
	return append(appendThree(append(dst, r.utc...), ms-r.unix*1000), 'Z')
}

// appendThree appends n, 0 to 999, with three digits.
func appendThree(dst []byte, n int64) []byte {
	return append(dst, byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
}
