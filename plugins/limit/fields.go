package limit

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"pingap/arena"
	"pingap/plugins"
)

// unknown is a time that nobody knows.
const unknown = -1

// standing is what a client is told of its limit (draft-ietf-httpapi-ratelimit-headers-10).
type standing struct {
	policy      []byte
	quota, left int64
	reset       int64 // seconds until all of the quota is there again, or unknown
}

// addTo gives the fields to a function that appends one.
func (s *standing) addTo(add func(name, value string), label string) {
	left := label + ";r=" + strconv.FormatInt(s.left, 10)
	if s.reset != unknown {
		left += ";t=" + strconv.FormatInt(s.reset, 10)
	}
	add("RateLimit-Policy", string(s.policy))
	add("RateLimit", left)
	add("X-RateLimit-Limit", strconv.FormatInt(s.quota, 10))
	add("X-RateLimit-Remaining", strconv.FormatInt(s.left, 10))
	if s.reset != unknown {
		add("X-RateLimit-Reset", strconv.FormatInt(s.reset, 10))
	}
}

// tell adds the fields to a response whose request has a ticket. The first two are lists, to which each limit adds its own; of the others, which are
// none, there are those of one limit.
func (c *common) tell(e *plugins.Exchange) {
	t := ticketOf(e, c)
	if t == nil {
		return
	}
	fields := &e.Response.Fields
	_, taken := fields.Lookup("X-RateLimit-Limit")
	t.standing.addTo(func(name, value string) {
		if !taken || name[0] == 'R' {
			fields.Add(name, []byte(value))
		}
	}, c.label)
}

func refusal(value string, most int) *plugins.Answer {
	if strings.Contains(value, ".") {
		value = strings.TrimRight(strings.TrimRight(value, "0"), ".")
	}
	return plugins.Text(429, "Plugin limit, exceed limit "+value+"/"+strconv.Itoa(most))
}

// seconds rounds up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// quoted makes a string of structured fields (RFC 9651 section 3.3.3) of a name; what it cannot hold becomes a question mark.
func quoted(name string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range name {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r > '~':
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// ticket is what a request has of a limit until it is over.
type ticket struct {
	owner    *common
	hold     arena.Hold // none for a rate
	standing standing
}

// End gives back what is held.
func (t *ticket) End(bool) {
	pool := &t.owner.tickets
	t.hold.Release()
	*t = ticket{}
	pool.free.Put(t)
}

// ticketOf finds that of a limit among what waits for the end of the exchange.
func ticketOf(e *plugins.Exchange, owner *common) *ticket {
	for _, x := range e.Enders() {
		if t, ok := x.(*ticket); ok && t.owner == owner {
			return t
		}
	}
	return nil
}

// pool keeps tickets for the next request.
type pool struct{ free sync.Pool }

func (p *pool) get(owner *common) *ticket {
	t, ok := p.free.Get().(*ticket)
	if !ok {
		t = new(ticket)
	}
	t.owner = owner
	return t
}
