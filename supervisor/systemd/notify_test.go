package systemd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 20 * time.Second

// manager is the other end of a Notifier, which reads when it is told to.
type manager struct {
	t  *testing.T
	fd int
}

func newManager(t *testing.T) (*manager, *Notifier) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	limit := unix.NsecToTimeval(int64(patience))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		t.Fatal(err)
	}
	n, err := Open(func(string) string { return path })
	if err != nil {
		t.Fatal(err)
	}
	return &manager{t, fd}, n
}

// read returns the next message with the number of its descriptors, which it closes.
func (m *manager) read() (text string, fds int) {
	m.t.Helper()
	buf, oob := make([]byte, 4096), make([]byte, 4096)
	n, oobn, _, _, err := unix.Recvmsg(m.fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
	for err == unix.EINTR {
		n, oobn, _, _, err = unix.Recvmsg(m.fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		m.t.Fatal(err)
	}
	for i := range messages {
		got, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			m.t.Fatal(err)
		}
		for _, fd := range got {
			unix.Close(fd)
		}
		fds += len(got)
	}
	return string(buf[:n]), fds
}

// A manager under load reads late. What it had no room for reaches it all the same, in order and with its descriptors.
func TestNothingIsLostWhileTheManagerDoesNotRead(t *testing.T) {
	m, n := newManager(t)
	defer n.Close()
	const lines = 300 // more than any queue of datagrams holds by default
	for i := range lines {
		if err := n.Send(fmt.Sprintf("STATUS=%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	n.mu.Lock()
	waiting := len(n.queue)
	n.mu.Unlock()
	if waiting == 0 {
		t.Skip("the kernel's queue holds all of them") // counted: net.unix.max_dgram_qlen is larger here
	}
	file, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Store("a", int(file.Fd())); err != nil {
		t.Fatal(err)
	}
	file.Close() // the copy that waits is another one
	for i := range lines {
		if got, _ := m.read(); got != fmt.Sprintf("STATUS=%d", i) {
			t.Fatalf("message %d is %q", i, got)
		}
	}
	if got, fds := m.read(); fds != 1 || !strings.Contains(got, "FDNAME=a") {
		t.Errorf("%q with %d descriptors", got, fds)
	}
}

func TestTheBarrierWaitsForWhatWaits(t *testing.T) {
	m, n := newManager(t)
	defer n.Close()
	for range 300 {
		if err := n.Send("STATUS=x"); err != nil {
			t.Fatal(err)
		}
	}
	passed := make(chan error, 1)
	go func() { passed <- n.Barrier(patience) }()
	for range 300 {
		m.read()
	}
	if got, fds := m.read(); got != "BARRIER=1" || fds != 1 { // read closes the descriptor, which is the answer
		t.Errorf("%q with %d descriptors", got, fds)
	}
	if err := <-passed; err != nil {
		t.Error(err)
	}
}

func TestAManagerThatNeverReadsIsGivenUp(t *testing.T) {
	_, n := newManager(t)
	var failed error
	for range 10 * maxNotes {
		if failed = n.Send("STATUS=x"); failed != nil {
			break
		}
	}
	if failed != errNotRead {
		t.Errorf("got %v", failed)
	}
	if err := n.Barrier(50 * time.Millisecond); err == nil {
		t.Error("a barrier that nobody reads was passed")
	}
	n.Close() // ends
}
