package certs

import (
	"crypto/tls"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"testing"
	"time"
)

// response makes an OCSP response about a certificate; clients in tests do not look at its signature.
func response(t *testing.T, serial *big.Int, from, to time.Time) []byte {
	t.Helper()
	type id struct {
		Algorithm         asn1.RawValue
		NameHash, KeyHash []byte
		Serial            *big.Int
	}
	type single struct {
		ID         id
		Status     asn1.RawValue
		ThisUpdate time.Time `asn1:"generalized"`
		NextUpdate time.Time `asn1:"generalized,explicit,tag:0"`
	}
	type data struct {
		Responder asn1.RawValue
		Produced  time.Time `asn1:"generalized"`
		Responses []single
	}
	type basic struct {
		Data      data
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	type inner struct {
		Type     asn1.ObjectIdentifier
		Response []byte
	}
	type outer struct {
		Status asn1.Enumerated
		Bytes  inner `asn1:"explicit,tag:0"`
	}
	algorithm := asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: []byte{6, 1, 42}}
	der, err := asn1.Marshal(basic{Data: data{
		Responder: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 2, IsCompound: true, Bytes: []byte{4, 1, 0}}, Produced: from,
		Responses: []single{{ID: id{Algorithm: algorithm, Serial: serial}, Status: asn1.RawValue{Class: asn1.ClassContextSpecific},
			ThisUpdate: from, NextUpdate: to}},
	}, Algorithm: algorithm, Signature: asn1.BitString{Bytes: []byte{0}, BitLength: 8}})
	if err != nil {
		t.Fatal(err)
	}
	der, err = asn1.Marshal(outer{Bytes: inner{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}, der}})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestAStapleIsPassedOnWhileItIsCurrent(t *testing.T) {
	ca := newIssuer(t, "ca", time.Hour)
	m := ca.issue("ecdsa", time.Hour, "a.test")
	now := time.Now().UTC().Truncate(time.Second)
	for name, c := range map[string]struct {
		from, to time.Time
		want     bool
	}{
		"current": {now.Add(-time.Hour), now.Add(time.Hour), true}, "out of date": {now.Add(-2 * time.Hour), now.Add(-time.Hour), false},
		"not yet": {now.Add(time.Hour), now.Add(2 * time.Hour), false},
	} {
		der := response(t, m.leaf.SerialNumber, c.from, c.to)
		text := m.table("a", "ocsp_staple = '"+base64.StdEncoding.EncodeToString(der)+"'")
		l := listen(t, configFor(t, server(t, ""), liveOf(t, text)))
		state, err := l.dial(anyone("a.test"))
		if err != nil || (len(state.OCSPResponse) == len(der)) != c.want || len(state.OCSPResponse) > 0 && !c.want {
			t.Errorf("%s: %d bytes of %d, %v", name, len(state.OCSPResponse), len(der), err)
		}
	}
}

func TestChoosingACertificateAllocatesNothing(t *testing.T) {
	ca := newIssuer(t, "ca", time.Hour)
	l := liveOf(t, ca.issue("ecdsa", time.Hour, "a.test").table("a")+ca.issue("ecdsa", time.Hour, "b").table("b", "domains = '*.b.test'"))
	exact, wild := &tls.ClientHelloInfo{ServerName: "a.test"}, &tls.ClientHelloInfo{ServerName: "x.b.test"}
	if n := testing.AllocsPerRun(100, func() { _, _ = l.Certificate(exact) }); n > 0 {
		t.Errorf("%v allocations for a name", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = l.Certificate(wild) }); n > 1 { // the name of the wildcard
		t.Errorf("%v allocations for a wildcard", n)
	}
}

func BenchmarkTickets(b *testing.B) {
	s := &sealer{tickets: NewTickets()}
	ticket := s.seal(make([]byte, 200))
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.seal(make([]byte, 200))
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if s.open(ticket) == nil {
				b.Fatal("not opened")
			}
		}
	})
}

func TestDamagedTicketsAreNotOpened(t *testing.T) {
	s := &sealer{tickets: NewTickets()}
	ticket := s.seal([]byte("a state"))
	if got := s.open(ticket); string(got) != "a state" {
		t.Fatalf("opened to %q", got)
	}
	for i := range ticket {
		damaged := append([]byte(nil), ticket...)
		damaged[i] ^= 1
		if s.open(damaged) != nil || s.open(ticket[:i]) != nil {
			t.Fatalf("opened with byte %d changed, or cut there", i)
		}
	}
	other := &sealer{tickets: s.tickets, policy: "other"}
	if other.open(ticket) != nil {
		t.Error("opened under another policy")
	}
	if a, b := s.seal([]byte("a state")), s.seal([]byte("a state")); string(a[keyNameSize:]) == string(b[keyNameSize:]) {
		t.Error("two tickets are alike")
	}
}
