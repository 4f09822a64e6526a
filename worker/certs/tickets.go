package certs

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"sync/atomic"
)

// A ticket, as this package seals session states:
//
//	name of the key, 16 bytes | salt, 32 bytes | state, AES-256-GCM under a key of HMAC(key, salt)
//
// Each ticket has a key of its own, so that no number of tickets under one shared key is too many.
const (
	keyNameSize = 16
	saltSize    = 32
	gcmNonce    = 12
	gcmOverhead = 16
	// minTicketKey is what a shared key has at least, in bytes.
	minTicketKey = 32
	// maxTicketKeys bounds how many are tried.
	maxTicketKeys = 16
)

// Tickets holds the keys that session tickets are sealed with. It may be used by several goroutines.
type Tickets struct {
	keys    atomic.Pointer[[][]byte]
	resumed atomic.Uint64
	unknown atomic.Uint64
}

// NewTickets starts with a key that nobody else has, until there are others.
func NewTickets() *Tickets {
	t := &Tickets{}
	own := make([]byte, minTicketKey)
	rand.Read(own) // never fails
	t.keys.Store(&[][]byte{own})
	return t
}

// SetKeys makes keys the ones in use: the first seals, all of them open. Each has 32 bytes or more. Without keys nothing
// changes.
func (t *Tickets) SetKeys(keys [][]byte) error {
	if len(keys) == 0 {
		return nil
	}
	if len(keys) > maxTicketKeys {
		return fmt.Errorf("ticket keys: %d of them, at most %d are used", len(keys), maxTicketKeys)
	}
	own := make([][]byte, len(keys))
	for i, key := range keys {
		if len(key) < minTicketKey {
			return fmt.Errorf("ticket keys: expected %d bytes or more, found %d", minTicketKey, len(key))
		}
		own[i] = bytes.Clone(key)
	}
	t.keys.Store(&own)
	return nil
}

// Resumed counts the sessions that were opened, Unknown the tickets of a key that is not or no longer known.
func (t *Tickets) Resumed() uint64 { return t.resumed.Load() }

// Unknown counts as Resumed says.
func (t *Tickets) Unknown() uint64 { return t.unknown.Load() }

// sealer makes and takes the tickets of servers with one policy. Those of another policy are as good as unknown.
type sealer struct {
	tickets *Tickets
	policy  string
	derived atomic.Pointer[derived]
}

// derived are the keys of a policy, as long as the shared ones stay.
type derived struct {
	from *[][]byte
	keys []ticketKey
}

type ticketKey struct {
	name   [keyNameSize]byte
	secret [sha256.Size]byte
}

// keys derives the keys of the policy once for each set of shared ones.
func (s *sealer) keys() []ticketKey {
	from := s.tickets.keys.Load()
	if d := s.derived.Load(); d != nil && d.from == from {
		return d.keys
	}
	d := &derived{from: from, keys: make([]ticketKey, len(*from))}
	for i, key := range *from {
		d.keys[i].secret = mac(key, "pingap session ticket", []byte(s.policy))
		name := mac(d.keys[i].secret[:], "name", nil)
		copy(d.keys[i].name[:], name[:])
	}
	s.derived.Store(d)
	return d.keys
}

// mac is HMAC-SHA256 over what the sum is for and a text.
func mac(key []byte, purpose string, text []byte) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write(text)
	h.Sum(sum[:0])
	return sum
}

// wrap is tls.Config.WrapSession.
func (s *sealer) wrap(_ tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
	state, err := session.Bytes()
	if err != nil {
		return nil, err
	}
	return s.seal(state), nil
}

// unwrap is tls.Config.UnwrapSession. A ticket that cannot be opened means a full handshake, never an error.
func (s *sealer) unwrap(ticket []byte, _ tls.ConnectionState) (*tls.SessionState, error) {
	if state := s.open(ticket); state != nil {
		if session, err := tls.ParseSessionState(state); err == nil { // else one of another version of Go
			s.tickets.resumed.Add(1)
			return session, nil
		}
	}
	s.tickets.unknown.Add(1)
	return nil, nil
}

// seal makes a ticket with the first key.
func (s *sealer) seal(state []byte) []byte {
	key := &s.keys()[0]
	ticket := make([]byte, keyNameSize+saltSize, keyNameSize+saltSize+len(state)+gcmOverhead)
	copy(ticket, key.name[:])
	salt := ticket[keyNameSize:]
	rand.Read(salt) // never fails
	var nonce [gcmNonce]byte
	return key.cipher(salt).Seal(ticket, nonce[:], state, key.name[:])
}

// open gives the state in a ticket, nil where no key opens it.
func (s *sealer) open(ticket []byte) []byte {
	if len(ticket) < keyNameSize+saltSize {
		return nil
	}
	keys := s.keys()
	for i := range keys {
		if !bytes.Equal(keys[i].name[:], ticket[:keyNameSize]) { // no secret: it stands in the ticket
			continue
		}
		var nonce [gcmNonce]byte
		aead := keys[i].cipher(ticket[keyNameSize : keyNameSize+saltSize])
		state, err := aead.Open(nil, nonce[:], ticket[keyNameSize+saltSize:], keys[i].name[:])
		if err != nil {
			return nil
		}
		return state
	}
	return nil
}

// cipher is that of one ticket. Its key is used once, so the nonce may be zero.
func (k *ticketKey) cipher(salt []byte) cipher.AEAD {
	secret := mac(k.secret[:], "ticket", salt)
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		panic(fmt.Sprintf("certs: session ticket: %v", err)) // the key has the right size
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(fmt.Sprintf("certs: session ticket: %v", err)) // so has the block
	}
	return aead
}
