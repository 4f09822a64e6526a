package health

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"pingap/config"
)

// Known is what was found out about a target before this Checker had it.
type Known uint8

// What may be known.
const (
	Unknown Known = iota // health_initial decides
	KnownHealthy
	KnownUnhealthy
)

// Target is a backend that is to be checked.
type Target struct {
	Key     string // tells it from other targets of the upstream
	Address config.Address
	Check   *Compiled
	Known   Known // its state; looked at when the target is new
}

// Result is a change of a target, or what its first check says.
type Result struct {
	Upstream string
	Key      string
	Healthy  bool
	First    bool   // the first with this check
	Reason   string // of the check that failed; may be there though enough others passed
	At       time.Time
}

// target is a Target that is being checked.
type target struct {
	Target
	group *group

	healthy bool
	open    bool // neither healthy nor not: the next check decides
	checked bool // by Check, once at least
	passes  int  // in a row
	fails   int  // in a row
	slow    bool // the last check timed out
	proven  bool // a check has passed, now or before this Checker
	early   int  // checks that came before their time because none has passed yet

	at      int64 // when something is to be done with it
	place   int   // in the heap; -1 for none
	nominal int64 // the beginning of its place in the interval

	line    *line // where it waits for its turn, or is under way
	busy    bool  // under way
	sockets       // of a check by epoll
	run     *run  // of another
	kept    *session
}

// sockets is the state of a check that is made by epoll.
type sockets struct {
	to       unix.Sockaddr
	fd       int  // -1 for none
	spare    bool // it was used before
	polled   bool // it is in the epoll set
	stage    stage
	reused   bool  // the connection served another check before
	deadline int64 // of connecting, for a Unix socket whose queue is full
	sent     int   // bytes of the request
	in       []byte
}

// stage is how far a check by epoll is.
type stage uint8

const (
	resting stage = iota
	again         // waits to connect once more
	connecting
	sending
	reading
)

// takeUp begins with a target.
func takeUp(t Target, g *group) *target {
	n := &target{Target: t, group: g, place: -1, sockets: sockets{fd: -1}}
	switch {
	case t.Known == Unknown:
		n.healthy, n.open = t.Check.initial != firstSuccess, t.Check.initial == firstResult
	default:
		n.healthy, n.proven = t.Known == KnownHealthy, true
	}
	return n
}

// judge counts a check, and says whether the state is another one now.
func (t *target) judge(pass bool) (flipped bool) {
	before := t.healthy
	if pass {
		t.passes, t.fails, t.proven = t.passes+1, 0, true
	} else {
		t.passes, t.fails = 0, t.fails+1
	}
	switch {
	case t.open:
		t.healthy = pass
	case pass && t.passes >= t.Check.Success:
		t.healthy = true
	case !pass && t.fails >= t.Check.Failure:
		t.healthy = false
	}
	t.open = false
	return t.healthy != before
}

// why is the reason of a result.
func (t *target) why(o outcome) string {
	switch {
	case o.verdict == passed && t.healthy:
		return ""
	case o.verdict == passed:
		return fmt.Sprintf("%d of %d checks succeeded", t.passes, t.Check.Success)
	case t.healthy:
		return fmt.Sprintf("%s (%d of %d)", o.reason, t.fails, t.Check.Failure)
	}
	return o.reason
}
