package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"pingap/ipc"
)

// draining answers as an instance whose backend has fewer requests each time somebody looks, from n on.
func draining(n int64) func(ipc.Body) ipc.Body {
	var left atomic.Int64
	left.Store(n)
	return func(b ipc.Body) ipc.Body {
		if _, ok := b.(*ipc.UpstreamAdmin); ok {
			return &ipc.UpstreamChanged{Address: "a:1"}
		}
		return part(fmt.Sprintf(`{"upstreams":[{"name":"api","backends":[{"address":"a:1","in_flight":%d}]}]}`, left.Add(-1)))
	}
}

func TestADrainWaitsForRequestsInFlight(t *testing.T) {
	dir := fakeInstance(t, draining(4))
	if got := command(t, nil, "upstream", "drain", "api", "a:1", "--wait", "--run-dir", dir); got.code != 0 || got.out != "drain: a:1 of api\n" {
		t.Errorf("%+v", got)
	}
	dir = fakeInstance(t, draining(1000))
	got := command(t, nil, "upstream", "drain", "api", "a:1", "--wait", "--timeout=300ms", "--run-dir", dir)
	if got.code != 3 || !strings.Contains(got.errors, "requests still") {
		t.Errorf("%+v", got)
	}
	dir = fakeInstance(t, draining(0)) // -1: not known
	if got := command(t, nil, "upstream", "down", "api", "a:1", "--wait", "--run-dir", dir); got.code != 1 || !strings.Contains(got.errors, "not known") {
		t.Errorf("%+v", got)
	}
}
