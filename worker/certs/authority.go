package certs

import (
	"container/list"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	// maxSigned bounds the certificates that a CA has signed and that are kept.
	maxSigned = 1000
	// maxSigning bounds those that are being signed at once: a signature costs a handshake's worth of CPU.
	maxSigning = 64
	// leafLife is the longest life of one, leafBack how long before now it begins, for clients whose clocks are slow.
	leafLife = 2 * 365 * 24 * time.Hour
	leafBack = 24 * time.Hour
	// leafRest is how long before its end one is signed anew.
	leafRest = time.Hour
)

var (
	errBadName   = errors.New("the name is no host name")
	errExpiredCA = errors.New("the CA has expired or is not valid yet")
	errBusyCA    = errors.New("too many certificates are being signed")
)

// authority signs certificates for the names that clients ask for.
type authority struct {
	pair *tls.Certificate // of the CA

	mu      sync.Mutex // guards all below
	signed  map[string]*list.Element
	recent  *list.List // of *signed, the one asked for last in front
	signing map[string]*signature
}

// signed is a certificate for one name.
type signed struct {
	name string
	pair *tls.Certificate
}

// signature is one that is being made. All who want the same wait for it.
type signature struct {
	done chan struct{} // closed when pair and err are set
	pair *tls.Certificate
	err  error
}

func newAuthority(pair *tls.Certificate) *authority {
	return &authority{pair: pair, signed: map[string]*list.Element{}, recent: list.New(), signing: map[string]*signature{}}
}

// issue returns a certificate for a name, from those that were signed before where it can.
func (a *authority) issue(host string, now time.Time) (*tls.Certificate, error) {
	name, err := subjectFor(host)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	if pair := a.cachedLocked(name, now); pair != nil {
		a.mu.Unlock()
		return pair, nil
	}
	s, running := a.signing[name]
	if !running && len(a.signing) >= maxSigning {
		a.mu.Unlock()
		return nil, errBusyCA
	}
	if running {
		a.mu.Unlock()
		<-s.done // signing takes milliseconds and waits for nobody
		return s.pair, s.err
	}
	s = &signature{done: make(chan struct{})}
	a.signing[name] = s
	a.mu.Unlock()

	s.pair, s.err = a.sign(name, now)
	a.mu.Lock()
	delete(a.signing, name)
	if s.err == nil {
		a.keepLocked(name, s.pair)
	}
	a.mu.Unlock()
	close(s.done)
	return s.pair, s.err
}

func (a *authority) cachedLocked(name string, now time.Time) *tls.Certificate {
	e := a.signed[name]
	if e == nil {
		return nil
	}
	pair := e.Value.(*signed).pair
	if now.Before(pair.Leaf.NotBefore) || !now.Before(a.renewal(pair.Leaf)) {
		return nil // keepLocked takes its place
	}
	a.recent.MoveToFront(e)
	return pair
}

// renewal is when a certificate has to be signed anew. One that ends with its CA lives to the end.
func (a *authority) renewal(leaf *x509.Certificate) time.Time {
	if !leaf.NotAfter.Before(a.pair.Leaf.NotAfter) {
		return leaf.NotAfter
	}
	return leaf.NotAfter.Add(-leafRest)
}

func (a *authority) keepLocked(name string, pair *tls.Certificate) {
	if e := a.signed[name]; e != nil {
		e.Value.(*signed).pair = pair
		a.recent.MoveToFront(e)
		return
	}
	a.signed[name] = a.recent.PushFront(&signed{name, pair})
	for a.recent.Len() > maxSigned {
		oldest := a.recent.Remove(a.recent.Back()).(*signed)
		delete(a.signed, oldest.name)
	}
}

// sign makes a certificate with a key of its own.
func (a *authority) sign(name string, now time.Time) (*tls.Certificate, error) {
	ca := a.pair.Leaf
	if now.After(ca.NotAfter) || now.Before(ca.NotBefore) {
		return nil, errExpiredCA
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	template, err := leafOf(name, ca, now)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), a.pair.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read what was signed: %w", err)
	}
	return &tls.Certificate{Certificate: append([][]byte{der}, a.pair.Certificate...), PrivateKey: key, Leaf: leaf}, nil
}

// leafOf describes the certificate for a name.
func leafOf(name string, ca *x509.Certificate, now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("choose a serial number: %w", err)
	}
	begin, end := now.Add(-leafBack), now.Add(leafLife)
	if begin.Before(ca.NotBefore) {
		begin = ca.NotBefore
	}
	if end.After(ca.NotAfter) {
		end = ca.NotAfter
	}
	leaf := &x509.Certificate{
		SerialNumber: serial, NotBefore: begin, NotAfter: end,
		Subject:     pkix.Name{Organization: ca.Subject.Organization, OrganizationalUnit: ca.Subject.OrganizationalUnit},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	if len(name) <= 64 { // the most that a common name may have (RFC 5280, appendix A)
		leaf.Subject.CommonName = name
	}
	if ip := net.ParseIP(name); ip != nil {
		leaf.IPAddresses = []net.IP{ip}
		return leaf, nil
	}
	leaf.DNSNames = []string{name}
	return leaf, nil
}

// subjectFor is the name that a certificate for the host gets: *.rest where the host has more than two labels, so that many
// hosts share one.
func subjectFor(host string) (string, error) {
	if net.ParseIP(host) != nil {
		return host, nil
	}
	if !isHost(host) {
		return "", errBadName
	}
	if strings.Count(host, ".") >= 2 {
		return "*" + host[strings.IndexByte(host, '.'):], nil
	}
	return host, nil
}

// isHost says whether a name in lower case is one that a host may have: labels of letters, digits, - and _.
func isHost(name string) bool {
	if len(name) == 0 || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
				return false
			}
		}
	}
	return true
}
