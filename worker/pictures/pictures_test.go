package pictures

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// maker listens where a client is told to go, and answers each with what answer gives.
func maker(t *testing.T, answer func(conn *ipc.Conn, m *ipc.Message, ask *ipc.Picture)) *Client {
	t.Helper()
	var id [8]byte
	_, _ = rand.Read(id[:])
	name := "@pingap-test-" + hex.EncodeToString(id[:])
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: name}), unix.Listen(fd, 4)); err != nil {
		t.Fatal(err)
	}
	acceptor, err := ipc.AcceptorFromFD(fd)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { // ends with ctx
		defer close(ended)
		for {
			conn, err := acceptor.Accept(ctx)
			if err != nil {
				return
			}
			conn.TakeFDs()
			if m, err := conn.Receive(ctx); err == nil {
				if ask, ok := m.Body.(*ipc.Picture); ok {
					answer(conn, m, ask)
				}
				m.Close()
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { cancel(); acceptor.Close(); <-ended })
	c := &Client{}
	if err := c.Take(&ipc.StateItem{Kind: ipc.StatePictures, Key: ipc.PicturesKey, Body: ipc.Secret(strings.Repeat("t", ipc.PicturesToken) + name)}); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAPictureIsAskedForAndTaken(t *testing.T) {
	c := maker(t, func(conn *ipc.Conn, m *ipc.Message, ask *ipc.Picture) {
		fd, err := m.Take(ask.Data)
		if err != nil {
			return
		}
		data, _ := ipc.ReadMemfd(fd, ipc.MaxPicture)
		unix.Close(fd)
		if string(ask.Token) != strings.Repeat("t", ipc.PicturesToken) || ask.From != "png" || ask.To != "webp" || ask.Quality != 7 || ask.Until < time.Now().UnixMilli() {
			return
		}
		fd, _ = ipc.SealedMemfd("made", data[:len(data)/2])
		defer unix.Close(fd)
		_ = conn.Send(context.Background(), 0, ipc.PictureMade{Data: 1}, fd)
	})
	data := bytes.Repeat([]byte("ab"), 100_000)
	got, err := c.Make(t.Context(), Job{Data: data, From: "png", To: "webp", Quality: 7})
	if err != nil || !bytes.Equal(got, data[:len(data)/2]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestWhyThereIsNoPicture(t *testing.T) {
	refuses := maker(t, func(conn *ipc.Conn, _ *ipc.Message, _ *ipc.Picture) {
		_ = conn.Send(context.Background(), 0, ipc.PictureMade{Problem: "too large"})
	})
	dies := maker(t, func(*ipc.Conn, *ipc.Message, *ipc.Picture) {})
	gone := maker(t, func(*ipc.Conn, *ipc.Message, *ipc.Picture) {})
	if err := gone.Take(&ipc.StateItem{Key: ipc.PicturesKey, Gone: true}); err != nil {
		t.Fatal(err)
	}
	nobody := &Client{}
	if err := nobody.Take(&ipc.StateItem{Key: ipc.PicturesKey, Body: ipc.Secret(strings.Repeat("t", ipc.PicturesToken) + "@pingap-test-nobody")}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		client *Client
		none   bool // another time it may be otherwise
	}{"refused": {refuses, false}, "died of it": {dies, false}, "withdrawn": {gone, true}, "never told": {&Client{}, true}, "nobody there": {nobody, true}} {
		got, err := c.client.Make(t.Context(), Job{Data: []byte("x"), From: "png", To: "png"})
		if err == nil || got != nil || errors.Is(err, ErrNone) != c.none {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := refuses.Make(t.Context(), Job{Data: make([]byte, ipc.MaxPicture+1)}); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("too long: %v", err)
	}
}

func TestAPlaceThatMakesNoSenseIsRefused(t *testing.T) {
	for _, item := range []ipc.StateItem{{Key: "other", Body: make([]byte, 100)}, {Key: ipc.PicturesKey, Body: make([]byte, ipc.PicturesToken)}, {}} {
		if err := (&Client{}).Take(&item); err == nil {
			t.Errorf("%+v", item)
		}
	}
}
