package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pingap/control/acme"
	"pingap/ipc"
)

// Bounds of telling workers something beside the configuration.
const (
	stateTime  = 15 * time.Second // for the supervisor to answer; its own bound is shorter
	busyPause  = time.Second      // while another supervisor takes over, which may fail
	storedTime = 5 * time.Second  // longest that a start waits for certificates from a slow disk
)

// errBusy is an answer that another one may follow soon.
var errBusy = errors.New("the supervisor is busy")

// publisher brings what package acme has to all workers.
type publisher struct{ p *process }

// Publish returns when all workers that accept have the items, or with an error when one has not.
func (b publisher) Publish(ctx context.Context, items ...acme.Item) error {
	return b.tell(ctx, items, false)
}

// Withdraw has all workers forget items.
func (b publisher) Withdraw(ctx context.Context, items ...acme.Item) error {
	return b.tell(ctx, items, true)
}

func (b publisher) tell(ctx context.Context, items []acme.Item, gone bool) error {
	messages, err := messagesOf(items, gone)
	if err != nil {
		return err
	}
	for _, m := range messages {
		err := b.p.tellState(ctx, m)
		for errors.Is(err, errBusy) && ctx.Err() == nil {
			pause(ctx, busyPause)
			err = b.p.tellState(ctx, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// messagesOf translates items, and divides what is too much for one message.
func messagesOf(items []acme.Item, gone bool) ([]ipc.State, error) {
	var all []ipc.State
	size := ipc.MaxStateMessage
	for _, i := range items {
		item, err := itemOf(i, gone)
		if err != nil {
			return nil, err
		}
		if size += item.Size(); size > ipc.MaxStateMessage {
			all, size = append(all, ipc.State{}), item.Size()
		}
		last := &all[len(all)-1]
		last.Items = append(last.Items, item)
	}
	return all, nil
}

func itemOf(i acme.Item, gone bool) (ipc.StateItem, error) {
	item := ipc.StateItem{Key: i.Name, Expires: i.Expires, Gone: gone}
	switch i.Kind {
	case acme.Token:
		item.Kind, item.Body = ipc.StateToken, ipc.Secret(i.KeyAuth)
	case acme.ALPN:
		item.Kind = ipc.StateALPNCertificate
	case acme.Certificate:
		item.Kind = ipc.StateCertificate
	default:
		return item, fmt.Errorf("item of kind %s", i.Kind)
	}
	if gone {
		item.Body = nil
		return item, nil
	}
	if i.Kind != acme.Token {
		body, err := json.Marshal(ipc.Certificate{Domains: i.Domains, Chain: i.Chain, Key: i.Key})
		if err != nil {
			return item, err
		}
		item.Body = body
	}
	return item, nil
}

// tellState sends one message to the supervisor and waits for its answer. It is for other goroutines than the loop's.
func (p *process) tellState(ctx context.Context, body ipc.State) error {
	answer := make(chan ipc.Body, 1)
	p.post(ctx, func(ctx context.Context) {
		p.request(ctx, body, stateTime, func(_ context.Context, b ipc.Body) { answer <- b })
	})
	select {
	case b := <-answer:
		return taken(b)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// taken is nil if all workers have it.
func taken(answer ipc.Body) error {
	switch a := answer.(type) {
	case nil:
		return errors.New("the supervisor did not answer")
	case *ipc.Refused:
		if a.Code == ipc.CodeBusy {
			return fmt.Errorf("%w: %s", errBusy, a.Reason)
		}
		return errors.New("the supervisor refused: " + a.Reason)
	case *ipc.StateTaken:
		if len(a.Missing) > 0 {
			return errors.New("not all workers have it: " + strings.Join(a.Missing, "; "))
		}
		return nil
	}
	return fmt.Errorf("the supervisor answered with %s", answer.Type())
}
