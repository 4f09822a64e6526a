package health

import (
	"golang.org/x/sys/unix"
)

// appendRequest appends the request of an HTTP check.
func appendRequest(dst []byte, check *Compiled, agent string) []byte {
	dst = append(dst, "GET "...)
	dst = append(dst, check.Path...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, check.Host...)
	dst = append(dst, "\r\nUser-Agent: "...)
	dst = append(dst, agent...)
	dst = append(dst, "\r\nAccept: */*\r\n"...)
	if !check.Reuse {
		dst = append(dst, "Connection: close\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// send writes the rest of the request; false if it must wait, or the check has ended.
func (c *Checker) send(t *target, now int64) bool {
	c.out = appendRequest(c.out[:0], t.Check, c.agent)
	for t.sent < len(c.out) {
		n, err := unix.SendmsgN(t.fd, c.out[t.sent:], nil, nil, unix.MSG_NOSIGNAL)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return false
		case err != nil:
			c.broken(t, outcomeOf(err), now)
			return false
		default:
			t.sent += n
		}
	}
	t.stage = reading
	return true
}

// receive reads what has come of the answer.
func (c *Checker) receive(t *target, now int64) {
	for {
		n, err := unix.Read(t.fd, c.in)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return
		case err != nil:
			c.broken(t, outcomeOf(err), now)
			return
		}
		all := c.in[:n]
		if len(t.in) > 0 {
			t.in = append(t.in, all...)
			all = t.in
		}
		if n == 0 && len(all) == 0 {
			c.broken(t, refused("connection closed without an answer"), now)
			return
		}
		a := readAnswer(all, n == 0)
		switch {
		case a.whole:
			c.answered(t, a, now)
			return
		case n > 0 && len(t.in) == 0:
			t.in = append([]byte(nil), all...)
		}
	}
}

// broken ends a check whose connection failed. One that served before may have been closed by the backend at any time: that says nothing, and a
// fresh one tells.
func (c *Checker) broken(t *target, o outcome, now int64) {
	if !t.reused || len(t.in) > 0 {
		c.finish(t, o, now)
		return
	}
	c.shut(t)
	t.deadline = now + int64(t.Check.ConnectionTimeout)
	c.connect(t, now)
}

// answered ends a check that got an answer.
func (c *Checker) answered(t *target, a answer, now int64) {
	if a.outcome.verdict == passed && a.keep && t.Check.Reuse && c.idle < c.sockets.most/2 {
		t.stage, t.in = resting, nil // before finish, which would close it
		c.idle++
	}
	c.finish(t, a.outcome, now)
}
