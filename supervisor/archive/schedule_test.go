package archive

import (
	"testing"
	"time"

	"pingap/ipc"
)

func TestLogsAreLookedAfterInTime(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	files := []Open{{ipc.LogTarget{Path: "/a"}, "/a"}, {ipc.LogTarget{Network: "unixgram", Path: "/s"}, "/s"},
		{ipc.LogTarget{Path: "/b", Rotation: ipc.LogRotation{Compression: "gzip"}}, "/b"}}
	s := &Schedule{}
	begin := func(after time.Duration, due bool, logs int) {
		t.Helper()
		at = at.Add(after)
		if got := s.Due(at); got != due {
			t.Errorf("at %v: due %v", at, got)
		}
		if !due {
			return
		}
		if job := s.Begin(at, files); len(job.Logs) != logs {
			t.Errorf("at %v: %+v", at, job)
		}
	}
	begin(0, true, 1)
	s.Began()
	begin(time.Minute, false, 0)
	if job := s.Begin(at, files); len(job.Logs) != 0 {
		t.Errorf("two at a time: %+v", job)
	}
	if s.Ended(0) {
		t.Error("failed")
	}
	begin(time.Minute, true, 1) // was wanted meanwhile
	s.Began()
	if s.Ended(ExitBusy) || !s.Ended(1) || !s.Ended(-1) {
		t.Error("a busy file is no failure, others are")
	}
	begin(30*time.Second, false, 0)
	begin(30*time.Second, true, 1)
	begin(59*time.Minute, false, 0)
	begin(time.Minute, true, 1)
	s.Compress = ipc.LogCompress{Algorithm: "zstd", Hour: 11, After: time.Hour}
	begin(0, true, 2)
	begin(time.Minute, false, 0)
	begin(24*time.Hour-2*time.Minute, true, 2) // the next day, the hour has begun
	begin(2*time.Hour, true, 1)
}
