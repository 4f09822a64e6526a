package journal

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 20 * time.Second

func listen(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := l.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return l
}

// connected returns a sender to path over a socket made as the supervisor makes it.
func connected(t *testing.T, path string) *Sender {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	s, err := NewSender(os.NewFile(uintptr(fd), path), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func send(s *Sender, entry string) error {
	return s.Send([]byte(entry), time.Now().Add(patience))
}

// receive returns an entry, and whether it came as a file.
func receive(t *testing.T, l *net.UnixConn) (string, bool) {
	t.Helper()
	buf, oob := make([]byte, 256<<10), make([]byte, 256)
	n, oobn, _, _, err := l.ReadMsgUnix(buf, oob)
	if err != nil {
		t.Fatal(err)
	}
	if oobn == 0 {
		return string(buf[:n]), false
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fds[0]), "entry")
	defer file.Close()
	seals, err := unix.FcntlInt(file.Fd(), unix.F_GET_SEALS, 0)
	if all := unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL; err != nil || seals&all != all || n != 0 {
		t.Errorf("seals %x, %v, %d bytes beside the file", seals, err, n)
	}
	text, err := io.ReadAll(io.NewSectionReader(file, 0, 64<<20))
	if err != nil {
		t.Fatal(err)
	}
	return string(text), true
}

func TestFieldsKeepTheirValues(t *testing.T) {
	entry := AppendField(nil, "MESSAGE", "hello = \x00\xff")
	entry = AppendField(entry, "PINGAP_STACK", "a\nPRIORITY=0\n")
	want := "MESSAGE=hello = \x00\xff\nPINGAP_STACK\n\x0d\x00\x00\x00\x00\x00\x00\x00a\nPRIORITY=0\n\n"
	if string(entry) != want {
		t.Errorf("entry %q, want %q", entry, want)
	}
}

func TestNamesAreThoseThatTheJournalTakes(t *testing.T) {
	for key, want := range map[string]string{
		"requested_by": "PINGAP_REQUESTED_BY", "a.b-c d=e\n": "PINGAP_A_B_C_D_E_", "é2": "PINGAP___2",
		strings.Repeat("x", 100): "PINGAP_" + strings.Repeat("X", 57),
	} {
		if got := Name("PINGAP", key); got != want {
			t.Errorf("%q is named %s, want %s", key, got, want)
		}
	}
}

func TestOnlyTheStreamThatIsNamedIsTheJournal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	for stream, want := range map[string]bool{
		fmt.Sprintf("%d:%d", st.Dev, st.Ino): true, fmt.Sprintf("%d:%d", st.Dev, st.Ino+1): false,
		fmt.Sprintf("%d:%d", st.Dev+1, st.Ino): false, fmt.Sprint(st.Dev): false, "": false, ":": false,
	} {
		if got := Connected(stream, int(file.Fd())); got != want {
			t.Errorf("%q: %v", stream, got)
		}
	}
	if Connected(fmt.Sprintf("%d:%d", st.Dev, st.Ino), -1) {
		t.Error("a descriptor that is not open is connected")
	}
}

func TestLargeEntriesGoAsSealedFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l := listen(t, path)
	s := connected(t, path)
	for _, c := range []struct {
		size int
		file bool
	}{{100, false}, {8 << 20, true}} {
		entry := "MESSAGE=" + strings.Repeat("x", c.size) + "\n"
		if err := send(s, entry); err != nil {
			t.Fatal(err)
		}
		if got, file := receive(t, l); got != entry || file != c.file {
			t.Errorf("%d bytes of %d came, as a file: %v", len(got), len(entry), file)
		}
	}
}

// A journal that was started again has another socket under the same path.
func TestANewSocketIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l := listen(t, path)
	s := connected(t, path)
	l.Close()
	os.Remove(path)
	if err := send(s, "MESSAGE=nobody\n"); err == nil {
		t.Error("an entry went nowhere, and nobody said so")
	}
	l = listen(t, path)
	for _, entry := range []string{"MESSAGE=one\n", "MESSAGE=two\n"} {
		if err := send(s, entry); err != nil {
			t.Fatal(err)
		}
		if got, _ := receive(t, l); got != entry {
			t.Errorf("received %q", got)
		}
	}
}

func TestABusyJournalIsWaitedForUntilTheDeadline(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l := listen(t, path)
	s := connected(t, path)
	sent := 0
	for ; ; sent++ {
		err := s.Send([]byte("MESSAGE=fill\n"), time.Now().Add(10*time.Millisecond))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil || sent > 1_000_000 {
			t.Fatalf("after %d: %v", sent, err)
		}
	}
	late := make(chan error)
	go func() { late <- send(s, "MESSAGE=late\n") }() // ends when there is room
	for range sent {
		receive(t, l)
	}
	if err := <-late; err != nil {
		t.Fatal(err)
	}
	if got, _ := receive(t, l); got != "MESSAGE=late\n" {
		t.Errorf("received %q", got)
	}
}
