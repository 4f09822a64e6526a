//go:build !race

package client

import (
	"testing"

	"pingap/message"
)

func TestAWarmConnectionAllocatesNothing(t *testing.T) {
	a, b := socketPair(t)
	go benchConn(b, 64<<10) // ends with the connection
	c := watch(t, New(a, Options{ConnWindow: 64 << 20}))
	req := request("GET", "/some/path", benchHeaders...)
	resp := new(message.Response)
	mem, buf := make([]byte, 0, 4096), make([]byte, 4096)
	round := func() {
		s, err := c.Open(req, &req.Fields, OpenOptions{End: true, ContentLength: message.LengthUnknown})
		if err != nil {
			t.Fatal(err)
		}
		if mem, _, err = s.Head(resp, mem); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Read(buf); err != nil || n != 200 {
			t.Fatal(n, err)
		}
		s.Release()
	}
	for range 100 {
		round()
	}
	if n := testing.AllocsPerRun(2000, round); n >= 1 {
		t.Errorf("%v allocations for a request", n)
	}
}
