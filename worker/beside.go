package worker

import (
	"encoding/json"
	"errors"

	"go.uber.org/zap"

	"pingap/ipc"
	"pingap/worker/certs"
	"pingap/worker/challenge"
)

// beside is what this worker is told beside the configuration. It stays as it is whatever is applied.
type beside struct {
	tickets ipc.TicketKeys // shown to a supervisor that comes to the rescue
	book    challenge.Book // read by any goroutine

	certs    certs.Live     // has what was issued; read by any goroutine
	sessions *certs.Tickets // any goroutine
}

// takeTickets takes the keys for TLS session tickets.
func (w *worker) takeTickets(b *ipc.TicketKeys) {
	if !b.Valid() {
		w.log.Error("ticket keys make no sense", zap.Int("keys", len(b.Keys)))
		return
	}
	var keys [][]byte
	for _, k := range b.Keys {
		keys = append(keys, k)
	}
	if err := w.beside.sessions.SetKeys(keys); err != nil {
		w.log.Error("ticket keys are not used", zap.Error(err))
		return
	}
	w.beside.tickets = *b
}

// takeState takes certificates and answers to challenges. What makes no sense is named in the answer, and the rest taken.
func (w *worker) takeState(b *ipc.State) ipc.Body {
	var items []challenge.Item
	var failed []error
	for _, i := range b.Items {
		item, err := itemOf(&i)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		items = append(items, item)
	}
	changes, err := w.beside.book.Change(items, b.All)
	err = errors.Join(append(failed, err, w.beside.issue(changes))...)
	var taken ipc.StateTaken
	if err != nil {
		w.log.Error("certificates or answers to challenges not taken", zap.Error(err))
		taken.Missing = []string{err.Error()}
	}
	return taken
}

// issue has handshakes use what was issued, from now on.
func (b *beside) issue(c challenge.Changes) error {
	if len(c.Gone) > 0 {
		b.certs.Withdraw(c.Gone...)
	}
	if len(c.Issued) == 0 {
		return nil
	}
	issued := make(map[string]certs.Issued, len(c.Issued))
	for name, i := range c.Issued {
		issued[name] = certs.Issued{Certificate: i.Chain, Key: i.PrivateKey}
	}
	return b.certs.Issue(issued)
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
