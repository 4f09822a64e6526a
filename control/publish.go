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

// errMissing is one that some worker did not take what it was told.
var errMissing = errors.New("not all workers have it")

func isMissing(err error) bool { return errors.Is(err, errMissing) }

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
	all, err := itemsOf(items, gone)
	if err != nil {
		return err
	}
	for _, m := range divided(all) {
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

// tellAll has the supervisor know these items and no others of their kinds.
func (p *process) tellAll(ctx context.Context, items []acme.Item) error {
	all, err := itemsOf(items, false)
	messages := divided(all)
	if len(messages) == 0 {
		messages = []ipc.State{{}}
	}
	messages[0].All, messages[0].Kinds = true, []string{ipc.StateCertificate, ipc.StateToken, ipc.StateALPNCertificate}
	for _, m := range messages {
		if err == nil {
			err = p.tellState(ctx, m)
		}
	}
	return err
}

// divided makes messages of items, each of a size that may be sent.
func divided(items []ipc.StateItem) []ipc.State {
	var all []ipc.State
	size := ipc.MaxStateMessage
	for _, i := range items {
		if size += i.Size(); size > ipc.MaxStateMessage {
			all, size = append(all, ipc.State{}), i.Size()
		}
		last := &all[len(all)-1]
		last.Items = append(last.Items, i)
	}
	return all
}

// itemsOf translates items.
func itemsOf(items []acme.Item, gone bool) ([]ipc.StateItem, error) {
	var all []ipc.StateItem
	for _, i := range items {
		item, err := itemOf(i, gone)
		if err != nil {
			return nil, err
		}
		all = append(all, item)
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
			return fmt.Errorf("%w: %s", errMissing, strings.Join(a.Missing, "; "))
		}
		return nil
	}
	return fmt.Errorf("the supervisor answered with %s", answer.Type())
}
