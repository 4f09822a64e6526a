package acme

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/acme"
)

// proof is a name whose ownership is still to be shown, and how.
type proof struct {
	url       string // of the authorization
	domain    string // without "*."
	challenge *acme.Challenge
}

// byOrder gets a certificate of several names, or by dns-01: everything is made ready for all names, then the CA is told of
// each, then the order is finalised.
func (a *attempt) byOrder(ctx context.Context) (chain [][]byte, key *ecdsa.PrivateKey, err error) {
	order, err := a.client.AuthorizeOrder(ctx, acme.DomainIDs(a.wanted.Domains...))
	if err != nil {
		return nil, nil, err
	}
	proofs, err := a.proofs(ctx, order)
	if err != nil {
		return nil, nil, err
	}
	cleanUp, err := a.prepare(ctx, proofs)
	defer cleanUp()
	if err != nil {
		return nil, nil, err
	}
	if err := a.prove(ctx, proofs); err != nil {
		return nil, nil, err
	}
	if order.Status == acme.StatusPending {
		if order, err = a.client.WaitOrder(ctx, order.URI); err != nil {
			return nil, nil, err
		}
	}
	return a.finalize(ctx, order)
}

// proofs asks for what the order still needs.
func (a *attempt) proofs(ctx context.Context, order *acme.Order) ([]proof, error) {
	if order.Status == acme.StatusReady {
		return nil, nil
	}
	var proofs []proof
	for _, url := range order.AuthzURLs {
		z, err := a.client.GetAuthorization(ctx, url)
		if err != nil {
			return nil, err
		}
		switch z.Status {
		case acme.StatusValid:
			continue // of an earlier order, which CAs may use again
		case acme.StatusPending:
		default:
			return nil, fmt.Errorf("authorization of %s is %s", z.Identifier.Value, z.Status)
		}
		if len(z.Challenges) == 0 { // the wire left those of our kind
			return nil, fmt.Errorf("the CA offers no %s for %s", a.wanted.Challenge, z.Identifier.Value)
		}
		proofs = append(proofs, proof{url: url, domain: z.Identifier.Value, challenge: z.Challenges[0]})
	}
	return proofs, nil
}

// prepare puts the answers to all challenges where the CA will look. cleanUp is never nil.
func (a *attempt) prepare(ctx context.Context, proofs []proof) (cleanUp func(), err error) {
	nothing := func() {} // the end of the attempt withdraws what was published
	if a.wanted.Challenge == DNS01 {
		return a.presentRecords(ctx, proofs)
	}
	var items []Item
	for _, p := range proofs {
		item, err := a.answer(p)
		if err != nil {
			return nothing, err
		}
		items = append(items, item)
	}
	if len(items) == 0 {
		return nothing, nil
	}
	return nothing, a.publish(ctx, items...)
}

// answer is what workers need for a challenge.
func (a *attempt) answer(p proof) (Item, error) {
	if a.wanted.Challenge == HTTP01 {
		auth, err := a.client.HTTP01ChallengeResponse(p.challenge.Token)
		return Item{Kind: Token, Name: p.challenge.Token, KeyAuth: auth}, err
	}
	cert, err := a.client.TLSALPN01ChallengeCert(p.challenge.Token, p.domain)
	if err != nil {
		return Item{}, err
	}
	key, ok := cert.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return Item{}, errors.New("the key of the challenge certificate is not ECDSA")
	}
	text, err := keyPEM(key)
	if err != nil {
		return Item{}, err
	}
	var chain bytes.Buffer
	for _, der := range cert.Certificate {
		if err := pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return Item{}, err
		}
	}
	return Item{Kind: ALPN, Name: p.domain, Domains: []string{p.domain}, Chain: chain.Bytes(), Key: []byte(text)}, nil
}

// prove tells the CA to look, and waits for what it found. All are waited for, so that all refusals are heard.
func (a *attempt) prove(ctx context.Context, proofs []proof) error {
	for _, p := range proofs {
		if _, err := a.client.Accept(ctx, p.challenge); err != nil {
			return err
		}
	}
	var errs []error
	for _, p := range proofs {
		if _, err := a.client.WaitAuthorization(ctx, p.url); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// finalize asks for the certificate of an order that is ready, with a fresh key.
func (a *attempt) finalize(ctx context.Context, order *acme.Order) (chain [][]byte, key *ecdsa.PrivateKey, err error) {
	key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: a.wanted.Domains}, key)
	if err != nil {
		return nil, nil, err
	}
	chain, _, err = a.client.CreateCertFromOrder(ctx, order, csr, true)
	return chain, key, err
}
