package ipc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds waits for what must happen; reaching it is a failure.
const patience = 20 * time.Second

func pair(t *testing.T) (*Conn, *Conn, context.Context) {
	t.Helper()
	a, b, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(func() { cancel(); a.Close(); b.Close() })
	return a, b, ctx
}

func openFDs(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestEveryMessageSurvivesTheWire(t *testing.T) {
	a, b, ctx := pair(t)
	for typ := range known {
		body := newBody(typ)
		if err := a.Send(ctx, 7, body); err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		m, err := b.Receive(ctx)
		if err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		if !reflect.DeepEqual(m.Body, body) || m.Txn != 7 {
			t.Errorf("%s came back as %#v, txn %d", typ, m.Body, m.Txn)
		}
	}
}

func TestFieldsArriveAsSent(t *testing.T) {
	a, b, ctx := pair(t)
	sent := &Status{State: StateActive, SHA: "abc", Version: 3, Connections: map[string]int64{"active": 4}, Requests: 1 << 60,
		Uptime: time.Minute}
	if err := a.Send(ctx, 1, sent); err != nil {
		t.Fatal(err)
	}
	m, err := b.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(m.Body, sent) {
		t.Errorf("got %#v", m.Body)
	}
}

func TestDescriptors(t *testing.T) {
	for _, count := range []int{1, 63, 64, 130, 300} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			a, b, ctx := pair(t)
			before := openFDs(t)
			var fds FDs
			var start Start
			for i := range count {
				fd, err := SealedMemfd("test", fmt.Append(nil, i))
				if err != nil {
					t.Fatal(err)
				}
				defer unix.Close(fd)
				start.Logs = append(start.Logs, LogTarget{ID: fmt.Sprint(i), FD: fds.Add(fd)})
			}
			if err := a.Send(ctx, 1, start, fds...); err != nil {
				t.Fatal(err)
			}
			m, err := b.Receive(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range m.Body.(*Start).Logs {
				checkTaken(t, m, l)
			}
			if _, err := m.Take(1); !errors.Is(err, ErrMalformed) {
				t.Errorf("taken twice: %v", err)
			}
			if got := openFDs(t); got != before+count {
				t.Errorf("%d descriptors open, want %d", got, before+count)
			}
		})
	}
}

func checkTaken(t *testing.T, m *Message, l LogTarget) {
	t.Helper()
	fd, err := m.Take(l.FD)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
		t.Error("received without CLOEXEC")
	}
	if data, err := ReadMemfd(fd, 100); err != nil || string(data) != l.ID {
		t.Errorf("descriptor of %s holds %q, %v", l.ID, data, err)
	}
}

func TestLargeBodyTravelsInAMemfd(t *testing.T) {
	a, b, ctx := pair(t)
	before := openFDs(t)
	extra, err := SealedMemfd("extra", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(extra)
	big := Refused{Reason: strings.Repeat("é", MaxInline)}
	for _, fds := range [][]int{nil, {extra}, bytesToFDs(extra, 70)} {
		if err := a.Send(ctx, 1, big, fds...); err != nil {
			t.Fatal(err)
		}
		m, err := b.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if m.Body.(*Refused).Reason != big.Reason || len(m.fds) != len(fds) {
			t.Errorf("%d bytes and %d descriptors arrived", len(m.Body.(*Refused).Reason), len(m.fds))
		}
		m.Close()
	}
	if got := openFDs(t); got != before+1 {
		t.Errorf("%d descriptors open, want %d", got, before+1)
	}
	if err := a.Send(ctx, 1, Refused{Reason: strings.Repeat("x", MaxBody)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
}

func bytesToFDs(fd, n int) []int {
	fds := make([]int, n)
	for i := range fds {
		fds[i] = fd
	}
	return fds
}

func TestUnknownTypeIsAnsweredAndSkipped(t *testing.T) {
	a, b, ctx := pair(t)
	before := openFDs(t)
	if err := a.writePacket(ctx, true, header{typ: 9999, txn: 5}, []byte("not even json"), []int{1}); err != nil {
		t.Fatal(err)
	}
	if err := a.Send(ctx, 6, Activate{}); err != nil {
		t.Fatal(err)
	}
	m, err := b.Receive(ctx)
	if err != nil || m.Txn != 6 {
		t.Fatalf("got %+v, %v", m, err)
	}
	m, err = a.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := m.Body.(*Unknown); !ok || u.Of != 9999 || m.Txn != 5 {
		t.Errorf("answered %+v", m)
	}
	if got := openFDs(t); got != before {
		t.Errorf("descriptor of an unknown message leaked: %d open, want %d", got, before)
	}
}

func TestBadPacketsAreErrorsThatLeakNothing(t *testing.T) {
	raw := func(h header, body string) []byte { return append(h.append(nil), body...) }
	unsealed, err := unix.MemfdCreate("unsealed", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(unsealed)
	cases := []struct {
		name   string
		packet []byte
		fds    []int
		want   error
	}{
		{"short", []byte("x"), nil, ErrMalformed},
		{"short with descriptor", []byte("x"), []int{0}, ErrMalformed},
		{"wrong magic", bytes.Repeat([]byte{9}, 32), nil, ErrMalformed},
		{"unknown flag", raw(header{typ: TypeReady, flags: 0x80}, "{}"), nil, ErrMalformed},
		{"body is not JSON", raw(header{typ: TypeReady}, "{"), nil, ErrMalformed},
		{"body of another shape", raw(header{typ: TypeReady}, `{"sha":[1]}`), nil, ErrMalformed},
		{"empty body", raw(header{typ: TypeReady}, ""), nil, ErrMalformed},
		{"fewer descriptors than announced", raw(header{typ: TypeReady, nfds: 2}, "{}"), []int{0}, ErrTruncated},
		{"more descriptors than announced", raw(header{typ: TypeReady}, "{}"), []int{0}, ErrTruncated},
		{"announces too many", raw(header{typ: TypeReady, nfds: 65}, "{}"), nil, ErrMalformed},
		{"sends too many", raw(header{typ: TypeReady, nfds: 64}, "{}"), bytesToFDs(0, 66), ErrTruncated},
		{"memfd body without descriptor", raw(header{typ: TypeReady, flags: flagBodyMemfd}, ""), nil, ErrMalformed},
		{"memfd body not sealed", raw(header{typ: TypeReady, flags: flagBodyMemfd, nfds: 1}, ""), []int{unsealed}, ErrMalformed},
		{"memfd body and inline body", raw(header{typ: TypeReady, flags: flagBodyMemfd, nfds: 1}, "{}"), []int{unsealed}, ErrMalformed},
		{"too long", make([]byte, maxPacketBytes+1), nil, ErrTruncated},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, b, ctx := pair(t)
			before := openFDs(t)
			sendRaw(t, a, c.packet, c.fds)
			if m, err := b.Receive(ctx); !errors.Is(err, c.want) {
				t.Errorf("got %+v, %v; want %v", m, err, c.want)
			}
			if got := openFDs(t); got != before {
				t.Errorf("%d descriptors open, want %d", got, before)
			}
		})
	}
}

func sendRaw(t *testing.T, c *Conn, packet []byte, fds []int) {
	t.Helper()
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(int(c.file.Fd()), packet, oob, nil, 0); err != nil {
		t.Fatal(err)
	}
}

func TestReceiveEnds(t *testing.T) {
	t.Run("EOF when the peer closes", func(t *testing.T) {
		a, b, ctx := pair(t)
		a.Close()
		if _, err := b.Receive(ctx); err != io.EOF {
			t.Errorf("got %v", err)
		}
	})
	t.Run("with its context, and the connection lives on", func(t *testing.T) {
		a, b, ctx := pair(t)
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if _, err := b.Receive(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if err := a.Send(ctx, 1, Ready{}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Receive(ctx); err != nil {
			t.Errorf("after a time-out: %v", err)
		}
	})
	t.Run("when closed by its own side", func(t *testing.T) {
		_, b, ctx := pair(t)
		got := make(chan error, 1)
		go func() {
			_, err := b.Receive(ctx)
			got <- err
		}()
		b.Close()
		if err := <-got; !errors.Is(err, os.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAPeerThatDoesNotReadBlocksNobodyForEver(t *testing.T) {
	a, _, _ := pair(t)
	var err error
	for range 100_000 {
		if err = a.TrySend(1, Ready{}); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("TrySend: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := a.Send(ctx, 1, Ready{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Send: %v", err)
	}
}

func TestHalfAMessageLeaksNothing(t *testing.T) {
	a, b, ctx := pair(t)
	before := openFDs(t)
	if err := a.writePacket(ctx, true, header{typ: TypeStart, flags: flagMore}, nil, []int{0, 1}); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := b.Receive(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	b.Close()
	if got := openFDs(t); got > before-1 {
		t.Errorf("%d descriptors open, want %d", got, before-1)
	}
}

func TestMemfdMustBeSealed(t *testing.T) {
	fd, err := SealedMemfd("x", []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.Pwrite(fd, []byte("y"), 0); err == nil {
		t.Error("sealed memfd was written")
	}
	if _, err := ReadMemfd(fd, 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	if _, err := ReadMemfd(0, 4); err == nil {
		t.Error("stdin taken for a sealed memfd")
	}
}

func TestClientsOfASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := Dial(ctx, path); !errors.Is(err, unix.ENOENT) {
		t.Errorf("nobody there: %v", err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 8)); err != nil {
		t.Fatal(err)
	}
	l, err := AcceptorFromFD(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := Dial(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if pid, uid, _, err := server.Peer(); err != nil || pid != os.Getpid() || uid != os.Getuid() {
		t.Errorf("peer %d/%d, %v", pid, uid, err)
	}
	if err := client.Send(ctx, 1, Reload{Wait: true}, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Receive(ctx); !errors.Is(err, ErrMalformed) {
		t.Errorf("a client's descriptor was taken: %v", err)
	}
	short, cancelShort := context.WithTimeout(ctx, time.Millisecond)
	defer cancelShort()
	if _, err := l.Accept(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("accept: %v", err)
	}
}

func TestNotASocket(t *testing.T) {
	fd, err := unix.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := FromFD(fd); err == nil {
		t.Error("no error")
	}
}

func TestListenerIDNamesWhatIsBound(t *testing.T) {
	base := Listener{Network: "tcp4", Address: "127.0.0.1:80", Server: "a"}
	other := base
	other.Server = "b"
	if ListenerID(base) != ListenerID(other) {
		t.Error("the server's name changed the id")
	}
	other.Address = "127.0.0.1:81"
	if ListenerID(base) == ListenerID(other) {
		t.Error("two addresses with one id")
	}
}
