package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pingap/config"
)

var errNoMatch = errors.New("none is for that name, and none is the default")

// Issued is a certificate that ACME got for a table of the configuration.
type Issued struct {
	Certificate []byte // PEM, the leaf first
	Key         []byte // PEM
}

// Live is what handshakes look at. The zero value has no certificates; a Live must not be copied.
type Live struct {
	Log *zap.Logger // may be nil

	mu     sync.Mutex // guards all below but set
	base   *Set       // of the live configuration
	issued map[string]issued
	set    atomic.Pointer[Set] // base with issued

	missed misses
}

// issued is a certificate as it came, parsed when its table is known.
type issued struct {
	Issued
	made *Certificate // nil while there is no table for it
}

// Use makes a set the live one.
func (l *Live) Use(base *Set) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.base = base
	l.mergeLocked()
}

// Issue adds what was issued, by the name of the table, in place of what was issued for it before. What cannot be read is left out and
// reported; what there was before stays.
func (l *Live) Issue(items map[string]Issued) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.issued == nil {
		l.issued = map[string]issued{}
	}
	var errs []error
	for name, item := range items {
		c, err := newCertificate(&config.Certificate{Name: name}, item.Certificate, item.Key)
		if err == nil && c.pair == nil {
			err = errors.New("certificate or key is empty")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("issued certificate %s: %w", name, err))
			continue
		}
		l.issued[name] = issued{Issued: item, made: c}
	}
	l.mergeLocked()
	return errors.Join(errs...)
}

// Withdraw removes what was issued for tables.
func (l *Live) Withdraw(names ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range names {
		delete(l.issued, name)
	}
	l.mergeLocked()
}

// mergeLocked puts issued certificates where their tables hold none, or an older one. Tables that the configuration has
// not are left out: a certificate that is not wanted any more is not served.
func (l *Live) mergeLocked() {
	base := l.base
	if base == nil || len(l.issued) == 0 {
		l.set.Store(base)
		return
	}
	merged := &Set{tables: maps.Clone(base.tables), made: base.made}
	for name, item := range l.issued {
		table, ok := base.tables[name]
		if !ok || !table.yields(item.made) {
			continue
		}
		c := *item.made
		c.domains, c.isDefault, c.acme = table.domains, table.isDefault, true
		c.setNames()
		c.info.Source = "acme"
		merged.tables[name] = &c
	}
	merged.index()
	l.set.Store(merged)
}

// yields says whether an issued certificate is to be served in place of the table's own: there is none, or it ends earlier.
func (c *Certificate) yields(to *Certificate) bool {
	return c.acme && (c.pair == nil || c.pair.Leaf.NotAfter.Before(to.pair.Leaf.NotAfter))
}

// Certificate chooses one for a client, as tls.Config.GetCertificate does. Without any it returns nil, which crypto/tls answers
// with the alert unrecognized_name.
func (l *Live) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(hello.ServerName)
	list := l.set.Load().find(name)
	if len(list) == 0 {
		l.miss(hello, errNoMatch)
		return nil, nil
	}
	c := choose(list, hello)
	if c.ca == nil {
		return c.current(time.Now()), nil
	}
	pair, err := c.ca.issue(nameFor(hello, name), time.Now())
	if err != nil {
		l.miss(hello, err)
		return nil, nil
	}
	return pair, nil
}

// Table names the table whose certificate a modern client is shown that asks for a name, in lower case; empty for none.
func (l *Live) Table(name string) string {
	if list := l.set.Load().find(name); len(list) > 0 {
		return list[0].name
	}
	return ""
}

// choose takes the first that the client supports, else the first at all. Whether a certificate is for the name has been
// decided: the configuration may serve it under names that are not in it.
func choose(list []*Certificate, hello *tls.ClientHelloInfo) *Certificate {
	if len(list) == 1 {
		return list[0]
	}
	nameless := *hello
	nameless.ServerName = ""
	for _, c := range list {
		if nameless.SupportsCertificate(c.pair) == nil {
			return c
		}
	}
	return list[0]
}

// nameFor is the name that a certificate is signed for: what the client asked for, or the address it came to.
func nameFor(hello *tls.ClientHelloInfo, name string) string {
	if name != "" || hello.Conn == nil {
		return name
	}
	return addressOf(hello.Conn.LocalAddr())
}

// Missed counts the handshakes that found no certificate.
func (l *Live) Missed() uint64 { return l.missed.count.Load() }

// Infos lists the certificates that are live now.
func (l *Live) Infos() []Info {
	if set := l.set.Load(); set != nil {
		return set.Infos()
	}
	return nil
}
