package images

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// Times and numbers of the maker.
const (
	// SocketFD is the listening socket in the maker.
	SocketFD = 3
	// atOnce is how many pictures are made at a time.
	atOnce = 2
	// idleTime is how long the maker waits for work.
	idleTime = time.Minute
	// askTime bounds how long a client takes to ask, and to take its answer.
	askTime = 2 * time.Second
	// makeTime is how long a picture may take. A maker that takes longer hangs, and ends.
	makeTime = 20 * time.Second
)

// errHangs ends a maker that does not come to an end with a picture.
var errHangs = errors.New("a picture took too long")

// Make is the role of the maker. stdin gives it the token; its end is the end of control, and with it the maker's.
func Make(ctx context.Context, stdin io.Reader) error {
	token := make([]byte, ipc.PicturesToken)
	if _, err := io.ReadFull(stdin, token); err != nil {
		return fmt.Errorf("images: token: %w", err)
	}
	if err := confine(); err != nil {
		return fmt.Errorf("images: %w", err)
	}
	acceptor, err := ipc.AcceptorFromFD(SocketFD)
	if err != nil {
		return fmt.Errorf("images: socket: %w", err)
	}
	defer acceptor.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // ends with stdin, or with the process
		_, err := io.Copy(io.Discard, stdin)
		cancel(errors.Join(io.EOF, err))
	}()
	m := maker{acceptor: acceptor, token: token, end: cancel, idle: idleTime, limit: makeTime}
	return m.run(ctx)
}

type maker struct {
	acceptor *ipc.Acceptor
	token    []byte
	end      context.CancelCauseFunc
	idle     time.Duration
	limit    time.Duration
}

// run serves clients until there is nothing to do, or something is wrong. It does not wait for a picture that hangs.
func (m *maker) run(ctx context.Context) error {
	var wg sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for cpuSeconds() < maxCPU/2 {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return causeOf(ctx)
		}
		wait, cancel := context.WithTimeout(ctx, m.idle)
		conn, err := m.acceptor.Accept(wait)
		cancel()
		if err != nil {
			break // nobody came; one who comes now wakes the keeper up
		}
		wg.Go(func() { // ends in bounded time, or ends the process
			defer func() { <-free }()
			defer conn.Close()
			m.serve(ctx, conn)
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	return causeOf(ctx)
}

func causeOf(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, errHangs) {
		return cause
	}
	return nil
}

// serve answers one client.
func (m *maker) serve(ctx context.Context, conn *ipc.Conn) {
	conn.TakeFDs()
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	message, err := conn.Receive(asking)
	if err != nil {
		return
	}
	defer message.Close()
	ask, ok := message.Body.(*ipc.Picture)
	if !ok || subtle.ConstantTimeCompare(ask.Token, m.token) != 1 || time.Now().UnixMilli() > ask.Until {
		return
	}
	watchdog := time.AfterFunc(m.limit, func() { m.end(errHangs) })
	defer watchdog.Stop()
	made, err := m.make(message, ask)
	if err != nil {
		m.answer(ctx, conn, ipc.PictureMade{Problem: err.Error()})
		return
	}
	fd, err := ipc.SealedMemfd("picture", made)
	if err != nil {
		m.answer(ctx, conn, ipc.PictureMade{Problem: "no memory for it"})
		return
	}
	defer unix.Close(fd)
	m.answer(ctx, conn, ipc.PictureMade{Data: 1}, fd)
}

func (m *maker) make(message *ipc.Message, ask *ipc.Picture) ([]byte, error) {
	fd, err := message.Take(ask.Data)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	data, err := ipc.ReadMemfd(fd, ipc.MaxPicture)
	if err != nil {
		return nil, err
	}
	return Convert(data, ask.From, ask.To, ask.Quality)
}

// answer tells a client that may have left.
func (m *maker) answer(ctx context.Context, conn *ipc.Conn, made ipc.PictureMade, fds ...int) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	_ = conn.Send(ctx, 0, made, fds...)
}
