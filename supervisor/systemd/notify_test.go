package systemd

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

// listen returns a manager's socket, and who sends to it.
func listen(t *testing.T) (*net.UnixConn, *Notifier) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	n, err := Open(func(string) string { return path })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); n.Close() })
	return l, n
}

func TestMoreThanTheManagersQueueHoldsArrives(t *testing.T) {
	l, n := listen(t)
	const many = 2000
	read := make(chan int, 1)
	go func() { // ends when all has come, or at the deadline
		l.SetReadDeadline(time.Now().Add(20 * time.Second))
		buf, got := make([]byte, 100), 0
		for got < many {
			if _, err := l.Read(buf); err != nil {
				break
			}
			got++
		}
		read <- got
	}()
	for range many {
		if err := n.Send("STATUS=x"); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-read; got != many {
		t.Errorf("%d of %d arrived", got, many)
	}
}

func TestAManagerThatDoesNotReadIsWaitedForOnce(t *testing.T) {
	l, n := listen(t)
	failed := 0
	begun := time.Now()
	for range 5000 {
		if n.Send("STATUS=x") != nil {
			failed++
		}
	}
	if failed == 0 {
		t.Skip("the queue of this kernel holds everything")
	}
	if took := time.Since(begun); took > 10*time.Second { // 5000 waits would be 250 s
		t.Errorf("it took %v", took)
	}
	if _, err := l.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := n.Send("STATUS=x"); err != nil || n.deaf {
		t.Errorf("it reads again: %v, deaf %t", err, n.deaf)
	}
}
