package load

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxMoves bounds how often one request may be sent away.
const maxMoves = 5

// begin opens a stream on the connection that is shared. A head that the proxy says it has not processed is sent anew elsewhere, by
// the caller, as long as there is something to give up.
func (c *client) begin(method, path string, end bool, more ...string) (*flow, error) {
	conn, err := c.link.get(c.limit())
	if err != nil {
		return nil, err
	}
	left := time.Now()
	time.Sleep(c.mix.Distance)
	c.way += time.Since(left)
	s, err := conn.open(method, path, c.key(), end, more...)
	if err == nil {
		s.limit(c.limit())
	}
	return s, err
}

// again says whether a request may be begun anew after an error, and counts that.
func (c *client) again(err error, moves int) bool {
	if !errors.Is(err, errMoved) || moves >= maxMoves {
		return false
	}
	c.load.moved(c.mix.Kind)
	return true
}

// share is one request among those of other clients on the same connection: GET and POST in turns, by each fourth client with time to take. A POST
// has a body that cannot be had a second time.
func (c *client) share() {
	r := c.load.begin(c, true)
	c.way = 0
	var slept time.Duration
	var err error
	for moves := 0; ; moves++ {
		var once bool
		var more time.Duration
		more, once, err = c.overLink()
		slept += more
		if once || !c.again(err, moves) {
			break
		}
	}
	c.load.end(r, time.Since(r.began)-slept-c.way, err)
	if err != nil {
		c.load.rest(failurePause)
	}
}

// overLink says how long the request took by itself, and whether something of it is spent that cannot be sent again.
func (c *client) overLink() (takes time.Duration, once bool, err error) {
	method, path, body := "GET", "/echo", ""
	slow := c.number%4 == 0 && c.mix.Takes > 0
	switch {
	case c.n%2 == 1:
		method, body = "POST", strings.Repeat(fmt.Sprintf("%-16s", c.key()), 256)
	case slow:
		path, takes = fmt.Sprintf("/slow/%d", c.mix.Takes.Milliseconds()), c.mix.Takes
	}
	s, err := c.begin(method, path, body == "")
	if err != nil {
		return takes, false, err
	}
	defer s.close()
	whole := body
	if body != "" {
		pieces, pause := 4, time.Millisecond
		if slow {
			pieces = max(1, int(c.mix.Takes/uploadPiece))
			pause = c.mix.Takes / time.Duration(pieces)
		}
		whole = strings.Repeat(body, pieces)
		takes, err = s.trickle(body, pieces, pause)
		once = true
	}
	if err == nil {
		err = s.judge(expected(c.key(), whole))
	}
	return takes, once, err
}

// trickle sends a body piece by piece, and says how long it slept.
func (s *flow) trickle(piece string, pieces int, pause time.Duration) (slept time.Duration, err error) {
	for n := range pieces {
		if err := s.send([]byte(piece), n == pieces-1); err != nil {
			return slept, err
		}
		before := time.Now()
		time.Sleep(pause)
		slept += time.Since(before)
	}
	return slept, nil
}

// judge reads the answer and compares it with what is wanted.
func (s *flow) judge(want string) error {
	status, err := s.head()
	if err != nil {
		return err
	}
	body, err := s.body()
	if err != nil {
		return err
	}
	return judge(&answer{status: status}, body, want)
}
