package telemetry

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTheBeginningAndTheEndOfLossesAreTold(t *testing.T) {
	full := errors.New("full")
	l := losses{calm: 10 * time.Second}
	now := time.Now()
	for n, step := range []struct {
		after int // seconds since the step before
		total uint64
		wrote bool // something was written before looking
		err   error
		want  *Loss
	}{
		{0, 0, true, nil, nil},
		{1, 5, true, full, &Loss{Lost: 5, Err: full}},
		{20, 5, false, nil, nil}, // nothing was written, who knows whether it could be
		{1, 7, true, full, nil},
		{1, 7, true, nil, nil}, // not calm yet
		{5, 9, true, full, nil},
		{1, 9, true, nil, nil},
		{9, 9, false, nil, &Loss{Lost: 9, Err: full, Over: true}},
		{20, 9, true, nil, nil},
		{1, 10, false, nil, &Loss{Lost: 1}}, // the buffer was full
		{11, 10, true, nil, &Loss{Lost: 1, Over: true}},
	} {
		now = now.Add(time.Duration(step.after) * time.Second)
		if step.wrote {
			l.wrote(step.err)
		}
		// What is lost by a write is counted before the outcome is noted.
		got, ok := l.look(step.total, now)
		if step.wrote && step.err == nil {
			l.wrote(nil)
		}
		if ok != (step.want != nil) || ok && got != *step.want {
			t.Errorf("step %d: %+v %v, want %+v", n, got, ok, step.want)
		}
	}
}

// The log says by itself, once it can, that some of it is missing.
func TestALogSaysThatLinesOfItAreMissing(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(Options{File: full})
	if err != nil {
		t.Fatal(err)
	}
	l.Logger.Info("nobody will see this")
	if !eventually(func() bool { return l.Lost() == 1 }) {
		t.Fatalf("%d lost", l.Lost())
	}
	path := filepath.Join(t.TempDir(), "app.log")
	if err := l.Reopen(openLog(t, path)); err != nil {
		t.Fatal(err)
	}
	l.out.losses.mu.Lock()
	l.out.losses.at = l.out.losses.at.Add(-calmTime) // as if some seconds had gone by
	l.out.losses.mu.Unlock()
	l.Logger.Info("first")
	if !eventually(func() bool { return strings.Contains(readLog(t, path), "lines of this log were lost") }) {
		t.Errorf("log is %q", readLog(t, path))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := readLog(t, path)
	if !strings.Contains(got, "lost=1 error=") || !strings.Contains(got, syscall.ENOSPC.Error()) || l.Lost() != 1 {
		t.Errorf("log is %q, %d lost", got, l.Lost())
	}
}
