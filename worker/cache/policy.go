package cache

import (
	"bytes"
	"math"
	"slices"
	"time"

	"pingap/message"
	"pingap/worker/cache/control"
)

// Settings are what an operator decides about what is stored.
type Settings struct {
	MaxTTL               time.Duration // bound of every lifetime; 0 for none
	Heuristic            time.Duration // bound of lifetimes that are guessed from Last-Modified; 0 for no guesses
	StaleWhileRevalidate time.Duration // for responses that do not say
	StaleIfError         time.Duration // for responses that do not say
	NeedControl          bool          // nothing is stored without Cache-Control
	SetCookie            bool          // responses with Set-Cookie are stored, with it
	MaxBody              int64         // bytes of the longest body that is stored
}

// forever is an age that no lifetime reaches: that of a response whose Age cannot be read.
const forever = time.Duration(math.MaxInt64 / 4)

// Arrival is a response that may be stored, and what is known of its request.
type Arrival struct {
	Status        int
	Fields        []message.Field
	Asked, Came   time.Time // when the request went out, and the head came
	Authorization bool      // the request had such a field
}

// Policy is what a response allows. The zero value is not storable.
type Policy struct {
	Storable bool
	Lifetime time.Duration // freshness
	Age      time.Duration // when it came: the corrected initial age of RFC 9111 section 4.2.3
	Validate bool          // to be validated before each use
	NoStale  bool          // never to be used stale
	// SWR and SIE are how long behind its lifetime it may be used while it is fetched anew, and where that fails.
	SWR, SIE time.Duration
	Drop     []string // names of fields that are not stored
}

// Policy judges a response to GET.
func (s *Settings) Policy(a *Arrival) Policy {
	c := control.Parse(a.Fields)
	p := Policy{Age: initialAge(a), Drop: append(c.NoCacheFields, c.PrivateFields...)}
	if !s.mayStore(a, &c, p.Drop) {
		return Policy{}
	}
	explicit := false
	p.Lifetime, explicit = s.lifetime(a, &c)
	p.Validate = c.NoCache
	p.NoStale = c.MustRevalidate || c.ProxyRevalidate || c.NoCache
	p.SWR = window(c.StaleWhileRevalidate, s.StaleWhileRevalidate, c.SMaxAge != control.None)
	p.SIE = window(c.StaleIfError, s.StaleIfError, c.SMaxAge != control.None)
	if p.NoStale {
		p.SWR, p.SIE = 0, 0
	}
	p.NoStale = p.NoStale || c.SMaxAge != control.None
	validator := get(a.Fields, message.ETag) != nil || get(a.Fields, message.LastModified) != nil
	fresh := p.Lifetime > p.Age && !p.Validate
	useful := fresh || p.Lifetime+max(p.SWR, p.SIE) > p.Age && p.Lifetime > 0
	p.Storable = useful || validator && (explicit || c.NoCache || c.Public)
	return p
}

// window is how long a stale response may be used. s-maxage forbids it (RFC 9111 section 5.2.2.10), unless the response says both.
func window(said int64, otherwise time.Duration, forbidden bool) time.Duration {
	switch {
	case said != control.None:
		return time.Duration(said) * time.Second
	case forbidden:
		return 0
	}
	return otherwise
}

// mayStore is RFC 9111 section 3 without its question of freshness.
func (s *Settings) mayStore(a *Arrival, c *control.Control, dropped []string) bool {
	switch {
	case a.Status < 200 || a.Status == 206 || a.Status == 304 || a.Status > 599:
		return false
	case c.MustUnderstand && !understood(a.Status):
		return false
	case c.NoStore && !c.MustUnderstand, c.Private:
		return false
	case a.Authorization && !c.Public && !c.MustRevalidate && c.SMaxAge == control.None: // section 3.5
		return false
	case s.NeedControl && !c.Present:
		return false
	case !s.SetCookie && get(a.Fields, message.SetCookie) != nil && !slices.ContainsFunc(dropped, isSetCookie):
		return false
	}
	return true
}

func isSetCookie(name string) bool { return message.EqualFold([]byte(name), "Set-Cookie") }

// understood are the statuses whose rules about caching are kept here.
func understood(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414, 421, 451, 500, 501, 502, 503, 504:
		return true
	}
	return false
}

// guessable are the statuses that may be stored without the server's word (RFC 9110 section 15.1).
func guessable(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// lifetime is how long a response is fresh (RFC 9111 section 4.2.1), and whether it says so itself.
func (s *Settings) lifetime(a *Arrival, c *control.Control) (life time.Duration, explicit bool) {
	defer func() {
		if s.MaxTTL > 0 {
			life = min(life, s.MaxTTL)
		}
	}()
	switch {
	case c.SMaxAge != control.None:
		return time.Duration(c.SMaxAge) * time.Second, true
	case c.MaxAge != control.None:
		return time.Duration(c.MaxAge) * time.Second, true
	}
	date, ok, _ := dateField(a.Fields, message.Date)
	if !ok {
		date = a.Came
	}
	if expires, ok, present := dateField(a.Fields, message.Expires); present {
		if !ok {
			return 0, true
		}
		return max(0, expires.Sub(date)), true
	}
	if s.Heuristic > 0 && (guessable(a.Status) || c.Public) {
		if modified, ok, _ := dateField(a.Fields, message.LastModified); ok && modified.Before(date) {
			return min(date.Sub(modified)/10, s.Heuristic), false
		}
	}
	return 0, false
}

// initialAge is the corrected initial age of RFC 9111 section 4.2.3. An Age that is no single number makes a response old: who sent it cannot
// be believed about it.
func initialAge(a *Arrival) time.Duration {
	apparent := time.Duration(0)
	if date, ok, _ := dateField(a.Fields, message.Date); ok {
		apparent = max(0, a.Came.Sub(date))
	}
	said, seen := int64(0), false
	for i := range a.Fields {
		if a.Fields[i].ID != message.Age {
			continue
		}
		n, ok := control.ParseSeconds(bytes.TrimSpace(a.Fields[i].Value))
		if !ok || seen {
			return forever
		}
		said, seen = n, true
	}
	return max(apparent, time.Duration(said)*time.Second+max(0, a.Came.Sub(a.Asked)))
}
