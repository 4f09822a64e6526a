package challenge

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"time"
)

// prefix is the path of all answers to http-01 (RFC 8555, 8.3).
const prefix = "/.well-known/acme-challenge/"

// Kind says what an item is.
type Kind uint8

// The kinds of items.
const (
	Token       Kind = iota + 1 // Key is the token of http-01, Body its key authorization
	ALPN                        // Key is the domain, Chain and PrivateKey answer tls-alpn-01 (RFC 8737)
	Certificate                 // Key is the name of its table; issued for Domains
)

// Item is one thing to know.
type Item struct {
	Kind    Kind
	Key     string
	Body    []byte
	Domains []string
	Chain   []byte // PEM
	// PrivateKey is PEM; a secret.
	PrivateKey []byte
	Expires    time.Time // zero for never
	Gone       bool      // forget it
}

// Issued is a certificate of a CA. It never changes.
type Issued struct {
	Domains           []string
	Chain, PrivateKey []byte // PEM
}

// Book is empty as it is. Change is for one goroutine, everything else for any.
type Book struct {
	page atomic.Pointer[page]
}

// page never changes; a change makes another one.
type page struct {
	tokens map[string]answer
	alpn   map[string]*tls.Certificate
	issued map[string]Issued
}

type answer struct {
	body    []byte
	expires time.Time
}

// Change enters and forgets items; with all, what is not named is forgotten as well. Items that make no sense are left out, and are the
// error. It reports whether issued certificates have changed.
func (b *Book) Change(items []Item, all bool) (issued bool, err error) {
	next := &page{tokens: map[string]answer{}, alpn: map[string]*tls.Certificate{}, issued: map[string]Issued{}}
	old := b.page.Load()
	if old != nil && !all {
		next.tokens, next.alpn, next.issued = maps.Clone(old.tokens), maps.Clone(old.alpn), maps.Clone(old.issued)
	}
	var failed []error
	for i := range items {
		if err := next.enter(&items[i]); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", items[i].Key, err))
		}
	}
	b.page.Store(next)
	return old == nil && len(next.issued) > 0 || old != nil && !maps.EqualFunc(old.issued, next.issued, Issued.same), errors.Join(failed...)
}

func (i Issued) same(o Issued) bool {
	return bytes.Equal(i.Chain, o.Chain) && bytes.Equal(i.PrivateKey, o.PrivateKey) && strings.Join(i.Domains, ",") == strings.Join(o.Domains, ",")
}

func (p *page) enter(i *Item) error {
	switch i.Kind {
	case Token:
		delete(p.tokens, i.Key)
		if !i.Gone && !isToken([]byte(i.Key)) {
			return errors.New("is no token")
		}
		if !i.Gone {
			p.tokens[i.Key] = answer{i.Body, i.Expires}
		}
	case ALPN:
		name := normal(i.Key)
		delete(p.alpn, name)
		if i.Gone {
			return nil
		}
		pair, err := tls.X509KeyPair(i.Chain, i.PrivateKey)
		if err != nil {
			return err
		}
		p.alpn[name] = &pair
	case Certificate:
		delete(p.issued, i.Key)
		if !i.Gone {
			p.issued[i.Key] = Issued{Domains: i.Domains, Chain: i.Chain, PrivateKey: i.PrivateKey}
		}
	default:
		return fmt.Errorf("items of kind %d are not known", i.Kind)
	}
	return nil
}

// Answer returns the answer to the challenge that a request for path is about; false where path is none, or nobody is waiting for
// an answer to it.
func (b *Book) Answer(path []byte) (body []byte, ok bool) {
	p := b.page.Load()
	if p == nil || len(p.tokens) == 0 || len(path) <= len(prefix) || string(path[:len(prefix)]) != prefix {
		return nil, false
	}
	a, ok := p.tokens[string(path[len(prefix):])]
	if !ok || !a.expires.IsZero() && time.Now().After(a.expires) {
		return nil, false
	}
	return a.body, true
}

// ALPN returns the certificate for a handshake with the protocol acme-tls/1, nil for none.
func (b *Book) ALPN(serverName string) *tls.Certificate {
	p := b.page.Load()
	if p == nil {
		return nil
	}
	return p.alpn[normal(serverName)]
}

// Issued returns the certificates of CAs by the names of their tables. The map is not to be changed.
func (b *Book) Issued() map[string]Issued {
	p := b.page.Load()
	if p == nil {
		return nil
	}
	return p.issued
}

func normal(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// isToken holds to base64url (RFC 8555, 8.3): nothing that means anything in a path.
func isToken(text []byte) bool {
	for _, c := range text {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(text) > 0
}
