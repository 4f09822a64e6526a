package inherit

import (
	"context"
	"errors"
	"fmt"
	"os"

	"pingap/ipc"
	"pingap/supervisor/state"
)

// Ask asks the supervisor before, at the other end of conn, for everything.
func Ask(ctx context.Context, conn *ipc.Conn, build string) (*Set, error) {
	ask := ipc.HandoverRequest{PID: os.Getpid(), Build: build, ProtoMin: ipc.ProtoMin, ProtoMax: ipc.Version}
	if err := conn.Send(ctx, 1, ask); err != nil {
		return nil, fmt.Errorf("ask the supervisor before for everything: %w", err)
	}
	m, err := conn.Receive(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for the supervisor before: %w", err)
	}
	defer m.Close()
	switch b := m.Body.(type) {
	case *ipc.Handover:
		return unpack(m, b)
	case *ipc.Refused:
		return nil, errors.New("the supervisor before does not hand over: " + b.Reason)
	}
	return nil, fmt.Errorf("%s from the supervisor before", m.Body.Type())
}

// unpack takes everything out of the message; what is missing is an error.
func unpack(m *ipc.Message, b *ipc.Handover) (*Set, error) {
	in := Empty()
	in.How = ipc.RecordUpgrade
	var failed error
	take := func(slot ipc.Slot) int {
		fd, err := m.Take(slot)
		failed = errors.Join(failed, err)
		return fd
	}
	in.Lock, in.Control, in.Arenas = take(b.Lock), take(b.Control), []int{take(b.Arena)}
	for _, slot := range b.Parts {
		in.Parts = append(in.Parts, take(slot))
	}
	if b.Admin != 0 {
		in.Admin = take(b.Admin)
	}
	if b.Snapshot != 0 {
		in.Snapshot = take(b.Snapshot)
	}
	if b.Secrets != 0 {
		in.Secrets, in.SecretsSerial = take(b.Secrets), b.SecretsSerial
	}
	for id, slot := range b.Listeners {
		in.Listeners[id] = take(slot)
	}
	for id, slot := range b.Logs {
		in.Logs[id] = take(slot)
	}
	for serial, slot := range b.Rescues {
		in.Rescues[serial] = take(slot)
	}
	for serial, slot := range b.Workers {
		conn, err := leading(take(slot))
		failed = errors.Join(failed, err)
		if err == nil {
			in.Workers[serial] = conn
		}
	}
	var err error
	if in.State, err = state.Decode(b.State); err != nil {
		failed = errors.Join(failed, err)
	}
	if failed != nil {
		return nil, fmt.Errorf("hand-over: %w", failed)
	}
	return in, nil
}
