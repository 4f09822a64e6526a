package e2e

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// journal receives entries as the systemd journal does.
type journal struct {
	conn    *net.UnixConn
	over    chan struct{}
	mu      sync.Mutex // guards entries
	entries [][]string // lines of each
}

func newJournal(t *testing.T, path string) *journal {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	j := &journal{conn: conn, over: make(chan struct{})}
	go j.receive() // ends with close
	t.Cleanup(j.close)
	return j
}

func (j *journal) receive() {
	defer close(j.over)
	buf := make([]byte, 256<<10)
	for {
		n, err := j.conn.Read(buf)
		if err != nil {
			return
		}
		j.mu.Lock()
		j.entries = append(j.entries, strings.Split(string(buf[:n]), "\n"))
		j.mu.Unlock()
	}
}

func (j *journal) close() {
	j.conn.Close()
	<-j.over
}

// wants waits for an entry with fields that begin so.
func (j *journal) wants(i *instance, fields ...string) {
	i.t.Helper()
	i.eventually("an entry with "+strings.Join(fields, " "), func() error {
		j.mu.Lock()
		defer j.mu.Unlock()
		for _, e := range j.entries {
			if hasAll(e, fields) {
				return nil
			}
		}
		return fmt.Errorf("%d entries, the last %q", len(j.entries), j.entries[max(0, len(j.entries)-1):])
	})
}

func hasAll(entry, fields []string) bool {
	for _, f := range fields {
		found := false
		for _, line := range entry {
			found = found || strings.HasPrefix(line, f)
		}
		if !found {
			return false
		}
	}
	return true
}
