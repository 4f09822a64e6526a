package server

import (
	"runtime"
	"testing"
	"time"
)

// waitFor waits until ok, which becomes true without any further doing.
func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatal("it never came to that")
		}
		runtime.Gosched()
	}
}

// nowhere takes everything.
type nowhere struct{ n int }

func (w *nowhere) Write(p []byte) error { w.n += len(p); return nil }
