package pki

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Staple is what an OCSP response (RFC 6960, section 4.2.1) says that matters for passing it on.
type Staple struct {
	Serial     *big.Int
	Good       bool // neither revoked nor unknown
	ThisUpdate time.Time
	NextUpdate time.Time // zero where the response does not say
}

// Current says whether clients would take the response now.
func (s *Staple) Current(now time.Time) bool {
	return !now.Before(s.ThisUpdate) && (s.NextUpdate.IsZero() || now.Before(s.NextUpdate))
}

type ocspResponse struct {
	Status asn1.Enumerated
	Bytes  struct {
		Type     asn1.ObjectIdentifier
		Response []byte
	} `asn1:"explicit,tag:0,optional"`
}

type basicResponse struct {
	Data struct {
		Raw         asn1.RawContent
		Version     int `asn1:"optional,default:0,explicit,tag:0"`
		ResponderID asn1.RawValue
		ProducedAt  time.Time `asn1:"generalized"`
		Responses   []singleResponse
		Extensions  asn1.RawValue `asn1:"explicit,tag:1,optional"`
	}
	Algorithm    asn1.RawValue
	Signature    asn1.BitString
	Certificates asn1.RawValue `asn1:"explicit,tag:0,optional"`
}

type singleResponse struct {
	ID struct {
		Algorithm         asn1.RawValue
		NameHash, KeyHash []byte
		Serial            *big.Int
	}
	Status     asn1.RawValue
	ThisUpdate time.Time     `asn1:"generalized"`
	NextUpdate time.Time     `asn1:"generalized,explicit,tag:0,optional"`
	Extensions asn1.RawValue `asn1:"explicit,tag:1,optional"`
}

// ParseStaple reads an OCSP response about one certificate. Who signed it is for clients to judge.
func ParseStaple(der []byte) (*Staple, error) {
	var outer ocspResponse
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) > 0 {
		return nil, errors.New("expected an OCSP response in DER")
	}
	if outer.Status != 0 {
		return nil, fmt.Errorf("expected a successful OCSP response, found status %d", outer.Status)
	}
	if !outer.Bytes.Type.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}) {
		return nil, errors.New("expected a basic OCSP response")
	}
	var basic basicResponse
	if rest, err := asn1.Unmarshal(outer.Bytes.Response, &basic); err != nil || len(rest) > 0 {
		return nil, errors.New("expected an OCSP response in DER, found a damaged one")
	}
	if len(basic.Data.Responses) != 1 {
		return nil, fmt.Errorf("expected an OCSP response about one certificate, found %d", len(basic.Data.Responses))
	}
	one := basic.Data.Responses[0]
	const good = 0 // the tag of the choice
	return &Staple{Serial: one.ID.Serial, Good: one.Status.Class == asn1.ClassContextSpecific && one.Status.Tag == good,
		ThisUpdate: one.ThisUpdate, NextUpdate: one.NextUpdate}, nil
}
