package events

import (
	"fmt"
	"slices"
	"testing"

	"pingap/config"
	"pingap/ipc"
)

func TestEventsOfRecords(t *testing.T) {
	done, refused := ipc.RecordDone, ipc.RecordRefused
	pid := fmt.Sprintf("Restart now, pid:%d, ", 77)
	for _, c := range []struct {
		record ipc.Record
		want   string
	}{
		{ipc.Record{Kind: ipc.RecordApply, Result: done}, ""},
		{ipc.Record{Kind: ipc.RecordApply, Result: refused}, ""},
		{ipc.Record{Kind: ipc.RecordStop, Result: done}, ""},
		{ipc.Record{Kind: ipc.RecordRoll, Result: done, By: "autoreload", To: 4}, "restart info " + pid + "fresh workers with version 4, autoreload"},
		{ipc.Record{Kind: ipc.RecordRestart, Result: done, Workers: 2}, "restart info " + pid + "a new supervisor goes on with 2 workers"},
		{ipc.Record{Kind: ipc.RecordCrash, Result: done, Workers: 2}, "restart error " + pid + "a new supervisor goes on with 2 workers, after a crash"},
		{ipc.Record{Kind: ipc.RecordUpgrade, Result: done, Build: "2.0", By: "uid 0"}, fmt.Sprintf("upgrade info upgraded to 2.0, pid:%d, uid 0", 77)},
		{ipc.Record{Kind: ipc.RecordUpgrade, Result: refused, Reason: "no"}, "upgrade error everything is as it was: no"},
		{ipc.Record{Kind: ipc.RecordWorker, Result: done, By: "worker 0 (pid 1)"}, "worker_exit error worker 0 (pid 1)"},
	} {
		got := ""
		if e, ok := OfRecord(&c.record, 77); ok {
			got = e.Category + " " + string(e.Level) + " " + e.Message
		}
		if got != c.want {
			t.Errorf("%+v: got %q, want %q", c.record, got, c.want)
		}
	}
}

func TestReloadsAreToldAsTheOriginalDoes(t *testing.T) {
	locations := []config.KeyChange{{Key: "locations"}}
	changes := config.Changes{{Kind: config.KindBasic}, {Kind: config.KindServer, Name: "s", Keys: locations}, {Kind: config.KindLocation, Name: "a", Op: config.Removed},
		{Kind: config.KindUpstream, Name: "a"}, {Kind: config.KindUpstream, Name: "b", Op: config.Added}, {Kind: config.KindUpstream, Name: "c", Op: config.Removed},
		{Kind: config.KindPlugin, Name: "p"}}
	want := []string{"Upstreams(a,b) are modified", "Location is removed", "Plugin(p) is modified", "Server Location(s) is modified", "Basic is modified"}
	if got := Reloaded(changes); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	other := config.Changes{{Kind: config.KindServer, Name: "s", Keys: []config.KeyChange{{Key: "addr"}}}}
	if got := Reloaded(other); !slices.Equal(got, []string{"Server(s) is modified"}) {
		t.Errorf("%q", got)
	}
}
