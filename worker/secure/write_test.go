package secure

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// counted counts the writes to a socket.
type counted struct {
	net.Conn
	writes int
}

func (c *counted) Write(b []byte) (int, error) {
	c.writes++
	return c.Conn.Write(b)
}

// records counts the records in what came over the wire.
func records(wire []byte) int {
	n := 0
	for len(wire) >= headerLen {
		wire = wire[headerLen+int(wire[3])<<8+int(wire[4]):]
		n++
	}
	return n
}

func TestAMessageIsOneWriteWithAsFewRecordsAsCanBe(t *testing.T) {
	cases := []struct {
		name            string
		head, body      int
		writes, records int
	}{
		{"a head", 200, 0, 1, 1},
		{"head and body", 200, 300, 1, 1},
		{"one full record", 200, recordMax - 200, 1, 1},
		{"one byte more", 200, recordMax - 199, 1, 2},
		{"64 KiB", 0, chunk, 1, 4},
		{"a large body", 200, 3*chunk - 200, 3, 12},
		{"nothing", 0, 0, 0, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := handshake(t, serverConfig(t), clientConfig())
			got := make(chan []byte, 1)
			count := &counted{Conn: s.link.Conn}
			s.link.Conn = count
			go func() { // ends when the server closes
				wire, _ := io.ReadAll(s.tap.Conn)
				got <- wire
			}()
			if err := s.WriteAll(bytes.Repeat([]byte("h"), c.head), bytes.Repeat([]byte("b"), c.body)); err != nil {
				t.Fatal(err)
			}
			_ = s.link.Conn.Close()
			if n := records(<-got); n != c.records || count.writes != c.writes {
				t.Errorf("%d records in %d writes, want %d in %d", n, count.writes, c.records, c.writes)
			}
			if s.link.out != nil {
				t.Error("the buffer was kept")
			}
		})
	}
}

func TestAFullSocketIsWaitedForInsideTheCallback(t *testing.T) {
	s := handshake(t, serverConfig(t), clientConfig())
	s.SetWriteLimit(bound)
	head, body := "head", strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
	done := make(chan error, 1)
	go func() { // ends when the client has read all
		var err error
		if cerr := s.raw.Read(func(fd uintptr) bool {
			err = s.WriteNow(fd, []byte(head), []byte(body))
			return true
		}); cerr != nil {
			err = cerr
		}
		done <- err
	}()
	s.want(t, head+body)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAWriteGivesUpAtItsLimitForGood(t *testing.T) {
	s := handshake(t, serverConfig(t), clientConfig())
	s.SetWriteLimit(30 * time.Millisecond)
	big := make([]byte, 4<<20)
	if err := s.WriteAll(big); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	_ = s.SetWriteDeadline(time.Time{})
	go io.Copy(io.Discard, s.tap.Conn) // ends when the socket is closed
	if err := s.WriteAll([]byte("more")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write after it: %v", err)
	}
}

func TestCloseDoesNotWaitForAFullSocket(t *testing.T) {
	s := handshake(t, serverConfig(t), clientConfig())
	_ = s.link.Conn.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	for { // fills the socket below TLS
		if _, err := s.link.Conn.Write(make([]byte, 64<<10)); err != nil {
			break
		}
	}
	begin := time.Now()
	_ = s.Close()
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("closing took %v", took)
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second close: %v", err)
	}
}

func TestCloseBreaksAWriteThatWaits(t *testing.T) {
	s := handshake(t, serverConfig(t), clientConfig())
	done := make(chan error, 1)
	go func() { done <- s.WriteAll(make([]byte, 16<<20)) }() // ends when the socket is closed
	waitFull(t, s)
	_ = s.Close()
	select {
	case err := <-done:
		if err == nil {
			t.Error("the write succeeded")
		}
	case <-time.After(bound):
		t.Fatal("the write still waits")
	}
}

// waitFull waits until the server's socket takes nothing more.
func waitFull(t *testing.T, s *session) {
	t.Helper()
	for end := time.Now().Add(bound); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if !s.link.mu.TryLock() {
			return
		}
		s.link.mu.Unlock()
	}
	t.Fatal("the write does not wait")
}

func TestAKeyUpdateIsAnsweredInsideTheCallback(t *testing.T) {
	log := new(bytes.Buffer)
	cfg := clientConfig()
	cfg.KeyLogWriter = log
	s := handshake(t, serverConfig(t), cfg)
	sender := newSender(t, s, log.String())
	done := make(chan error, 1)
	go func() { done <- s.serve(make([]byte, 100)) }() // ends when the client closes
	for range 3 {
		sender.keyUpdate(t)
		sender.say(t, "ping")
		s.want(t, "echo:PING") // reads the server's KeyUpdate too
	}
	_ = s.tap.Conn.Close()
	if err := <-done; err != io.ErrUnexpectedEOF {
		t.Error(err)
	}
}

func TestWhetherThePeerGotAnythingOfAMessageIsKnown(t *testing.T) {
	s := handshake(t, serverConfig(t), clientConfig())
	if err := s.WriteAll([]byte("fine")); err != nil || !s.Took() {
		t.Errorf("%v, took %v", err, s.Took())
	}
	_ = s.tap.Conn.Close()
	if err := s.WriteAll([]byte("lost")); err == nil || s.Took() {
		t.Errorf("to a closed socket: %v, took %v", err, s.Took())
	}
	s = handshake(t, serverConfig(t), clientConfig())
	s.SetWriteLimit(20 * time.Millisecond)
	if err := s.WriteAll(make([]byte, 4<<20)); err == nil || !s.Took() {
		t.Errorf("to a full socket: %v, took %v", err, s.Took())
	}
}
