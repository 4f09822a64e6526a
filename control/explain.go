package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"pingap/control/admin/api"
	"pingap/ipc"
)

// explainTime bounds how long the supervisor is waited for, which itself waits two seconds for a worker.
const explainTime = 3 * time.Second

// explainer asks workers what they would do.
type explainer struct{ *process }

// Explain is explain.Asker.
func (e explainer) Explain(ctx context.Context, what string, body []byte) ([]byte, error) {
	room, err := roomForAnswer()
	if err != nil {
		return nil, err
	}
	defer room.Close()
	switch a := e.ask(ctx, room, ipc.Explain{What: what, Body: body}).(type) {
	case *ipc.Explained:
		return readExplained(room, a)
	case *ipc.Refused:
		return nil, &api.Error{Status: http.StatusServiceUnavailable, Message: a.Reason, Retry: 1}
	case nil:
		return nil, &api.Error{Status: http.StatusServiceUnavailable, Message: "the supervisor did not answer", Retry: 1}
	}
	return nil, &api.Error{Status: http.StatusServiceUnavailable, Message: "the supervisor's build knows nothing of explain"}
}

// ask sends the question; nil is no answer.
func (e explainer) ask(ctx context.Context, room *os.File, question ipc.Explain) ipc.Body {
	raw, err := room.SyscallConn()
	if err != nil {
		return nil
	}
	c := client{p: e.process}
	return c.await(ctx, func(ctx context.Context, done func(ipc.Body)) {
		err := raw.Control(func(fd uintptr) { // nobody closes it meanwhile
			var fds ipc.FDs
			question.Answer = fds.Add(int(fd))
			e.request(ctx, question, explainTime, func(_ context.Context, b ipc.Body) { done(b) }, fds...)
		})
		if err != nil { // who asked has left
			done(nil)
		}
	})
}

// roomForAnswer is memory that a worker can write to, and that stays as long as it is. What is not written takes no room.
func roomForAnswer() (*os.File, error) {
	file, err := memfd("pingap-explained")
	if err != nil {
		return nil, err
	}
	err = file.Truncate(ipc.MaxExplained)
	if err == nil {
		_, err = unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("room for the answer: %w", err)
	}
	return file, nil
}

var errNoSense = errors.New("the answer of the worker makes no sense")

// readExplained takes the answer out of the room. Nothing of a worker is believed.
func readExplained(room *os.File, a *ipc.Explained) ([]byte, error) {
	switch {
	case a.Status >= 400 && a.Status <= 599:
		return nil, &api.Error{Status: a.Status, Message: a.Problem}
	case a.Status != http.StatusOK || a.Length <= 0 || a.Length > ipc.MaxExplained:
		return nil, errNoSense
	}
	data := make([]byte, a.Length)
	if _, err := io.ReadFull(io.NewSectionReader(room, 0, int64(a.Length)), data); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoSense, err)
	}
	return data, nil
}
