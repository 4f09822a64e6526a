package ledger

import (
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"pingap/ipc"
)

func observed() (*Book, *observer.ObservedLogs) {
	core, logs := observer.New(zap.InfoLevel)
	return &Book{Log: zap.New(core), Build: "b", Accepted: func() uint64 { return 9 }}, logs
}

func TestAnEntryEndsWhenItsWorkersHaveGone(t *testing.T) {
	b, logs := observed()
	e := b.Begin(ipc.RecordRoll, "test", 4)
	b.Drains(e)
	b.Drains(e)
	b.Done(e)
	if e.Draining != 2 || logs.Len() != 0 || b.Open(e.ID) != e {
		t.Fatalf("%+v, %d lines", e, logs.Len())
	}
	b.Drained(e, &ipc.Gone{Finished: 3, Connections: 5, AfterAnswer: 2, Idle: 1, Cut: 1, CutWhy: map[string]int64{"timeout": 1}}, 7)
	b.Drained(e, nil, 2)
	want := ipc.Record{Requests: 3, Connections: 5, AfterAnswer: 2, Idle: 1, Cut: 3, Moved: 9, Workers: 2}
	if e.Requests != want.Requests || e.Connections != want.Connections || e.AfterAnswer != want.AfterAnswer || e.Idle != want.Idle ||
		e.Cut != want.Cut || e.CutWhy["timeout"] != 1 || e.CutWhy["killed"] != 2 || e.Moved != want.Moved || e.Ended.IsZero() {
		t.Errorf("%+v", e)
	}
	if logs.FilterMessage("ledger").FilterField(zap.Int64("cut", 3)).Len() != 1 || b.Open(e.ID) != nil {
		t.Errorf("logged %v", logs.All())
	}
}

func TestTheLedgerIsBoundedAndGoesOnWithItsSuccessor(t *testing.T) {
	b, _ := observed()
	for range Max + 20 {
		b.Done(b.Begin(ipc.RecordApply, "", 1))
	}
	open := b.Begin(ipc.RecordApply, "", 1)
	b.Refuse(open, "no")
	b.Waited(time.Second)
	b.Waited(time.Millisecond)
	if n := len(b.Records()); n != Max || b.Last().LongestWait != time.Second || b.Last().Result != "refused" {
		t.Fatalf("%d entries, the last %+v", n, b.Last())
	}
	next, _ := observed()
	next.Load(b.Records(), b.ID(), nil)
	if e := next.Begin(ipc.RecordCrash, "", 1); e.ID != open.ID+1 || len(next.Records()) != Max {
		t.Errorf("goes on with %d of %d", e.ID, len(next.Records()))
	}
}

func TestAWorkerCannotFillAnEntry(t *testing.T) {
	b, _ := observed()
	e := b.Begin(ipc.RecordRoll, "", 1)
	b.Drains(e)
	why := map[string]int64{}
	for i := range 1000 {
		why[string(rune('a'+i))] = 1
	}
	b.Drained(e, &ipc.Gone{CutWhy: why}, 0)
	if len(e.CutWhy) != maxReasons {
		t.Errorf("%d reasons", len(e.CutWhy))
	}
}

func TestListenDropsAreFoundByName(t *testing.T) {
	const text = "TcpExt: A ListenOverflows ListenDrops\nTcpExt: 1 2 77\nIpExt: ListenDrops\nIpExt: 5\n"
	if n := dropsIn(text); n != 77 {
		t.Errorf("%d", n)
	}
	for _, bad := range []string{"", "TcpExt: ListenDrops", "TcpExt: A ListenDrops\nTcpExt: 1\n", "TcpExt: ListenDrops\nTcpExt: x\n"} {
		if n := dropsIn(bad); n != 0 {
			t.Errorf("%q: %d", bad, n)
		}
	}
}

func TestTotalsOnlyGrowAndGoOnWithTheSuccessor(t *testing.T) {
	b, _ := observed()
	for range 2 * Max { // more than are kept
		e := b.Begin(ipc.RecordRoll, "", 1)
		b.Drains(e)
		b.Done(e)
		b.Drained(e, &ipc.Gone{Finished: 3, Connections: 2, Cut: 1}, 0)
	}
	b.Drained(nil, &ipc.Gone{Finished: 1, Cut: -5}, 0) // of an entry that nobody remembers; a worker may say anything
	b.Drained(nil, nil, 4)
	b.Died(b.Begin(ipc.RecordWorker, "", 1), 2)
	want := ipc.Totals{Workers: 2*Max + 3, Finished: 6*Max + 1, Drained: 4 * Max, Moved: 18 * Max, Cut: 2*Max + 6}
	sums := b.Sums()
	if sums.Refused = 0; sums.Totals != want {
		t.Errorf("%+v, want %+v", sums.Totals, want)
	}
	next, _ := observed()
	last := b.Sums()
	last.Refused, last.Drops = 7, 0 // all that the kernel has counted came meanwhile
	next.Load(b.Records(), b.ID(), &last)
	next.Drained(nil, nil, 1)
	again := next.Sums()
	if again.Cut != want.Cut+1 || again.Finished != want.Finished || again.Refused != 7+listenDrops() {
		t.Errorf("%+v after %+v", again, last)
	}
	next.sums.Drops = 1 << 40 // of another namespace
	if n := next.Sums().Refused; n < again.Refused {
		t.Errorf("refused went from %d to %d", again.Refused, n)
	}
}
