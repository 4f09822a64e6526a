package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/crypto/acme"

	"pingap/control/acme/internal/store"
)

// account is one with a CA, as it is stored.
type account struct {
	Directory string `json:"directory"`
	EABKid    string `json:"eab_kid,omitempty"`
	Email     string `json:"email,omitempty"` // that the CA knows
	URI       string `json:"uri,omitempty"`   // empty: not registered yet
	Key       string `json:"key"`             // PEM

	key *ecdsa.PrivateKey
}

func accountFile(id string) string { return "accounts/" + id + ".json" }

// account returns the account for a wish, with a key that is on disk. A file that is damaged is an error: the key in it may
// be all that there is of the account.
func (m *Manager) account(w Wanted) (*account, error) {
	m.accounts.Lock()
	defer m.accounts.Unlock()
	name := accountFile(w.accountID())
	var a account
	err := m.store.Read(name, &a)
	if errors.Is(err, fs.ErrNotExist) {
		return m.newAccount(name, w)
	}
	if err != nil {
		return nil, fmt.Errorf("account key: %w", err)
	}
	block, _ := pem.Decode([]byte(a.Key))
	if block == nil {
		return nil, fmt.Errorf("account key: %s: %w", name, store.ErrDamaged)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("account key: %s: %w", name, store.ErrDamaged)
	}
	var ok bool
	if a.key, ok = key.(*ecdsa.PrivateKey); !ok {
		return nil, fmt.Errorf("account key: %s: %w", name, store.ErrDamaged)
	}
	return &a, nil
}

func (m *Manager) newAccount(name string, w Wanted) (*account, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &account{Directory: w.Directory, EABKid: w.EABKid, key: key}
	if a.Key, err = keyPEM(key); err != nil {
		return nil, err
	}
	if err := m.store.Write(name, a); err != nil {
		return nil, fmt.Errorf("account key: %w", err)
	}
	return a, nil
}

// register makes the client speak for the account, which is registered, and told a changed address, where necessary. The terms
// are accepted: the operator did so by asking for a certificate.
func (m *Manager) register(ctx context.Context, client *acme.Client, a *account, w Wanted) error {
	m.registering.Lock() // one at a time: a CA counts new accounts
	defer m.registering.Unlock()
	if fresh, err := m.account(w); err == nil {
		a.URI, a.Email = fresh.URI, fresh.Email // another attempt may have been faster
	}
	var err error
	switch {
	case a.URI == "":
		err = m.registerNew(ctx, client, a, w)
	case a.Email != w.Email:
		client.KID = acme.KeyID(a.URI)
		_, err = client.UpdateReg(ctx, &acme.Account{URI: a.URI, Contact: contact(w)})
	default:
		client.KID = acme.KeyID(a.URI)
		return nil
	}
	if err != nil {
		return fmt.Errorf("account: %w", err)
	}
	a.URI, a.Email = string(client.KID), w.Email
	return m.store.Write(accountFile(w.accountID()), a)
}

func (m *Manager) registerNew(ctx context.Context, client *acme.Client, a *account, w Wanted) error {
	wish := &acme.Account{Contact: contact(w)}
	if w.EABKid != "" {
		key, err := w.eabKey()
		if err != nil {
			return err
		}
		wish.ExternalAccountBinding = &acme.ExternalAccountBinding{KID: w.EABKid, Key: key}
	}
	_, err := client.Register(ctx, wish, acme.AcceptTOS)
	if errors.Is(err, acme.ErrAccountAlreadyExists) {
		err = nil // registered, and not written down then
	}
	return err
}

func contact(w Wanted) []string {
	if w.Email == "" {
		return nil
	}
	return []string{"mailto:" + w.Email}
}

// remember keeps the address that the CA has given the account. Without one the next attempt registers it again, with the
// same key: the CA does not know it any more.
func (m *Manager) remember(a *account, w Wanted, uri string) error {
	m.registering.Lock()
	defer m.registering.Unlock()
	a.URI = uri
	return m.store.Write(accountFile(w.accountID()), a)
}
