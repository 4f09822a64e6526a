package worker

import (
	"strings"
	"testing"
)

const mirrored = `
[upstreams.up]
addrs = ["127.0.0.1:1"]
[upstreams.copies]
addrs = ["127.0.0.1:2"]
[locations.all]
path = "/all"
upstream = "up"
mirror = "copies"
[locations.some]
path = "/some"
upstream = "up"
mirror = "copies"
mirror_percent = 5
mirror_max_body = "1mb"
[locations.none]
path = "/none"
upstream = "up"
mirror = "copies"
mirror_percent = 0
[servers.s]
addr = "LISTEN"
locations = ["all", "some", "none"]
`

func TestLocationsAreBoundToTheirMirror(t *testing.T) {
	w := bareWorker(t, mirrored, Timings{})
	all, some := w.live.locations["all"].Mirror, w.live.locations["some"].Mirror
	switch {
	case all == nil || some == nil || w.live.locations["none"].Mirror != nil:
		t.Fatal("mirrors are not where they should be")
	case all.Upstream != w.live.Upstreams["copies"] || all.Percent != 100 || all.MaxBody != 64_000:
		t.Errorf("%+v", all)
	case some.Percent != 5 || some.MaxBody != 1_000_000:
		t.Errorf("%+v", some)
	}
	next, err := w.build.build(t.Context(), w.next(snapshotOf(t, strings.Replace(mirrored, "127.0.0.1:2", "127.0.0.1:3", 1))))
	if err != nil {
		t.Fatal(err)
	}
	defer w.build.discard(next, w.live)
	if next.locations["all"].Mirror.Upstream != next.Upstreams["copies"] || next.Upstreams["copies"] == w.live.Upstreams["copies"] {
		t.Error("copies go to the upstream as it was before")
	}
	if next.locations["none"] != w.live.locations["none"] {
		t.Error("a location that mirrors nothing was bound again")
	}
}
