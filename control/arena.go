package control

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"pingap/arena"
	"pingap/ipc"
)

// growTime bounds the supervisor's answer to ArenaGrow.
const growTime = 10 * time.Second

// takeArena maps the shared memory. This process counts nothing; it gives records away. Without it, or with less of it, what has
// no record is counted by each worker for itself.
func (p *process) takeArena(m *ipc.Message, given *ipc.ControlStart) {
	if given.Arena == 0 {
		return
	}
	fd, err := m.Take(given.Arena)
	if err == nil {
		p.arena, err = arena.Open(fd)
	}
	for _, slot := range given.Parts {
		if err == nil {
			err = p.addPart(m, slot)
		}
	}
	if err != nil {
		p.log.Error("arena not taken", zap.Error(err))
	}
}

func (p *process) closeArena() {
	if p.arena != nil {
		_ = p.arena.Close() // the process ends
	}
}

func (p *process) addPart(m *ipc.Message, slot ipc.Slot) error {
	fd, err := m.Take(slot)
	if err != nil {
		return err
	}
	return p.arena.AddPart(fd)
}

// takePart maps a further part. Without it no record of it, or of those after it, can be given away.
func (p *process) takePart(m *ipc.Message, b *ipc.ArenaPart) {
	err := errors.New("there is no arena")
	if p.arena != nil {
		err = p.addPart(m, b.FD)
	}
	if err != nil {
		p.log.Error("part of the arena not taken", zap.Int("part", b.Index), zap.Error(err))
	}
}

// growArena has the supervisor make room for that many more records. All workers know of it before anything they are told
// later. It is for other goroutines than the loop's.
func (p *process) growArena(ctx context.Context, records int) error {
	answer := make(chan ipc.Body, 1)
	p.post(ctx, func(ctx context.Context) {
		p.request(ctx, ipc.ArenaGrow{Records: records}, growTime, func(_ context.Context, b ipc.Body) { answer <- b })
	})
	select {
	case b := <-answer:
		switch a := b.(type) {
		case *ipc.ArenaGrown:
			return nil
		case *ipc.Refused:
			return errors.New("the arena does not grow: " + a.Reason)
		}
		return errors.New("the arena does not grow: the supervisor did not answer")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
