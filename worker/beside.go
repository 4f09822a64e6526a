package worker

import (
	"context"
	"encoding/json"
	"errors"

	"go.uber.org/zap"

	"pingap/ipc"
	"pingap/plugins"
	"pingap/worker/challenge"
	"pingap/worker/pictures"
	"pingap/worker/tail"
)

// beside is what this worker is told beside the configuration. It stays as it is whatever is applied.
type beside struct {
	tickets ipc.TicketKeys // shown to a supervisor that comes to the rescue
	number  uint64         // of the last State, likewise; the lists of backends themselves are in site.endpoints
	book    challenge.Book // read by any goroutine
	// pictures knows where pictures are made anew; any goroutine.
	pictures pictures.Client
	web      web
	tap      *tail.Tap

	// onTickets and onIssued hear of keys for session tickets, the first encrypts, and of issued certificates; nil for nobody.
	onTickets func(keys [][]byte)
	onIssued  func(map[string]challenge.Issued)
}

// takeTickets takes the keys for TLS session tickets.
func (w *worker) takeTickets(b *ipc.TicketKeys) {
	if !b.Valid() {
		w.log.Error("ticket keys make no sense", zap.Int("keys", len(b.Keys)))
		return
	}
	w.beside.tickets = *b
	if w.beside.onTickets == nil {
		return
	}
	var keys [][]byte
	for _, k := range b.Keys {
		keys = append(keys, k)
	}
	w.beside.onTickets(keys)
}

// takeState takes certificates, answers to challenges, and lists of backends. What makes no sense is named in the answer, and the rest taken.
func (w *worker) takeState(b *ipc.State) ipc.Body {
	var items []challenge.Item
	var lists, watches []ipc.StateItem
	var failed []error
	w.beside.number = b.Number
	for _, i := range b.Items {
		if i.Kind == ipc.StateEndpoints {
			lists = append(lists, i)
			continue
		}
		if i.Kind == ipc.StatePictures {
			failed = append(failed, w.beside.pictures.Take(&i))
			continue
		}
		if i.Kind == ipc.StateWeb {
			failed = append(failed, w.beside.takeWeb(w.proxy, &i))
			continue
		}
		if i.Kind == ipc.StateTail {
			watches = append(watches, i)
			continue
		}
		item, err := itemOf(&i)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		items = append(items, item)
	}
	if all := b.Replaces(ipc.StateEndpoints); all || len(lists) > 0 {
		failed = append(failed, w.build.endpoints.Change(lists, all))
	}
	if all := b.Replaces(ipc.StateTail); all || len(watches) > 0 {
		failed = append(failed, w.beside.tap.Change(watches, all))
	}
	all := b.Replaces(ipc.StateCertificate) && b.Replaces(ipc.StateALPNCertificate) && b.Replaces(ipc.StateToken)
	issued, err := w.beside.book.Change(items, all)
	if issued && w.beside.onIssued != nil {
		w.beside.onIssued(w.beside.book.Issued())
	}
	var taken ipc.StateTaken
	if err = errors.Join(append(failed, err)...); err != nil {
		w.log.Error("certificates, answers to challenges or lists of backends not taken", zap.Error(err))
		taken.Missing = []string{err.Error()}
	}
	return taken
}

// itemOf reads an item. Errors do not quote it.
func itemOf(i *ipc.StateItem) (challenge.Item, error) {
	item := challenge.Item{Key: i.Key, Expires: i.Expires, Gone: i.Gone}
	var c ipc.Certificate
	switch i.Kind {
	case ipc.StateToken:
		item.Kind, item.Body = challenge.Token, i.Body
		return item, nil
	case ipc.StateCertificate:
		item.Kind = challenge.Certificate
	case ipc.StateALPNCertificate:
		item.Kind = challenge.ALPN
	default:
		return item, errors.New("items of kind " + i.Kind + " are not known")
	}
	if !i.Gone && json.Unmarshal(i.Body, &c) != nil {
		return item, errors.New(i.Kind + " " + i.Key + " cannot be read")
	}
	item.Domains, item.Chain, item.PrivateKey = c.Domains, c.Chain, c.Key
	return item, nil
}

// makePicture is plugins.Services.Images.
func (w *worker) makePicture(ctx context.Context, p plugins.Picture) ([]byte, error) {
	made, err := w.beside.pictures.Make(ctx, pictures.Job{Data: p.Data, From: p.From, To: p.To, Quality: p.Quality})
	if errors.Is(err, pictures.ErrNone) {
		return nil, errors.Join(plugins.ErrUnavailable, err)
	}
	return made, err
}
