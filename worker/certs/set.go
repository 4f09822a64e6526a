package certs

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"pingap/config"
	"pingap/config/pki"
)

// byDefault is the name under which default certificates are found.
const byDefault = "*"

// Certificate is a certificate of the configuration or an issued one, ready to be served.
type Certificate struct {
	name  string   // of its table
	names []string // that it is served under
	// What its table says: the names, of which empty means those of the certificate; whether it is a default; whether it gets
	// certificates issued.
	domains         []string
	isDefault, acme bool
	pair            *tls.Certificate
	kind            string // type of its key
	// staple is what the pair's OCSP response says, nil for none; bare is the pair without it.
	staple *pki.Staple
	bare   *tls.Certificate
	ca     *authority // where it signs for others; nil else
	sha    config.Sha // of the table it was made of, zero for an issued one
	info   Info
}

// Set is the certificates of one configuration, by the names that clients ask for. It never changes.
type Set struct {
	byName map[string][]*Certificate // best key type first
	tables map[string]*Certificate   // by name of the table; nil where it holds none
	made   int                       // that were parsed, not taken over
}

// NewSet builds the set of a snapshot. What has the same hash in old, which may be nil, is taken over. step is called between
// certificates; it may be nil.
func NewSet(snapshot *config.Snapshot, old *Set, step func()) (*Set, error) {
	s := &Set{tables: map[string]*Certificate{}}
	for _, object := range snapshot.Objects() {
		if object.Kind != config.KindCertificate {
			continue
		}
		if step != nil {
			step()
		}
		if last := old.table(object.Name); last != nil && last.sha == object.Sha {
			s.tables[object.Name] = last
			continue
		}
		table, err := snapshot.Certificate(object.Name)
		if err != nil {
			return nil, err
		}
		c, err := newCertificate(table, table.CertPEM(), table.KeyPEM())
		if err != nil {
			return nil, fmt.Errorf("certificates.%s: %w", object.Name, err)
		}
		c.sha = object.Sha
		s.tables[object.Name] = c
		s.made++
	}
	s.index()
	return s, nil
}

func (s *Set) table(name string) *Certificate {
	if s == nil {
		return nil
	}
	return s.tables[name]
}

// newCertificate reads a pair for a table. Without certificate or key there is nothing to serve, which is no mistake: ACME
// may not have issued it yet.
func newCertificate(table *config.Certificate, cert, key []byte) (*Certificate, error) {
	c := &Certificate{name: table.Name, domains: canonical(table.DomainList()), isDefault: table.IsDefault, acme: table.ACME != ""}
	if len(cert) == 0 || len(key) == 0 {
		return c, nil
	}
	pair, err := pki.Pair(cert, key)
	if err != nil {
		return nil, err
	}
	c.pair, c.kind = pair, pki.KeyType(pair.Leaf)
	c.setNames()
	c.info = table.InfoOf(pair.Leaf)
	if table.IsCA {
		c.ca = newAuthority(pair)
	}
	c.addStaple(table.StapleDER())
	return c, nil
}

// setNames finds the names that the certificate is served under.
func (c *Certificate) setNames() {
	c.names = slices.Clone(c.domains)
	if len(c.names) == 0 {
		c.names = canonical(pki.Names(c.pair.Leaf))
	}
	if c.isDefault {
		c.names = append(c.names, byDefault)
	}
}

// canonical gives addresses their usual form, and names none of the dots that may end them.
func canonical(names []string) []string {
	for i, name := range names {
		names[i] = strings.TrimSuffix(name, ".")
		if ip, err := netip.ParseAddr(name); err == nil {
			names[i] = ip.Unmap().String()
		}
	}
	return names
}

// addStaple adds an OCSP response. The configuration was refused if it cannot be read or is not about this certificate; an
// issued certificate is another one, and goes without.
func (c *Certificate) addStaple(der []byte) {
	if len(der) == 0 {
		return
	}
	staple, err := pki.ParseStaple(der)
	if err != nil || staple.Serial == nil || staple.Serial.Cmp(c.pair.Leaf.SerialNumber) != 0 {
		return
	}
	bare := *c.pair
	c.staple, c.bare = staple, &bare
	c.pair.OCSPStaple = der
}

// current is the pair as it is to be served now.
func (c *Certificate) current(now time.Time) *tls.Certificate {
	if c.staple != nil && !c.staple.Current(now) {
		return c.bare
	}
	return c.pair
}

// index files the certificates under their names. Where two tables have the same name and type of key the later one counts, by
// the names of the tables; one that a table holds counts before one that was issued for another.
func (s *Set) index() {
	s.byName = make(map[string][]*Certificate, len(s.tables))
	tables := make([]string, 0, len(s.tables))
	for name := range s.tables {
		tables = append(tables, name)
	}
	slices.Sort(tables)
	for _, table := range tables {
		c := s.tables[table]
		if c.pair == nil {
			continue
		}
		for _, name := range c.names {
			s.byName[name] = place(s.byName[name], c)
		}
	}
}

// place puts a certificate among those of a name.
func place(list []*Certificate, c *Certificate) []*Certificate {
	for i := range list {
		if list[i].kind == c.kind {
			list[i] = c
			return list
		}
	}
	list = append(list, c)
	slices.SortStableFunc(list, func(a, b *Certificate) int { return rank(a.kind) - rank(b.kind) })
	return list
}

// rank orders key types by what a handshake costs us.
func rank(kind string) int {
	switch kind {
	case "ecdsa":
		return 0
	case "ed25519":
		return 1
	}
	return 2
}

// find gives the certificates for a name in lower case; empty is no name.
func (s *Set) find(name string) []*Certificate {
	if s == nil {
		return nil
	}
	if name != "" {
		if list := s.byName[name]; list != nil && name != byDefault {
			return list
		}
		if i := strings.IndexByte(name, '.'); i >= 0 {
			if list := s.byName["*"+name[i:]]; list != nil {
				return list
			}
		}
	}
	return s.byName[byDefault]
}

// Made says how many certificates were parsed for this set, and not taken over.
func (s *Set) Made() int { return s.made }

// Info says what there is to know of a certificate.
type Info = config.CertificateInfo

// Infos lists the certificates of the set by table.
func (s *Set) Infos() []Info {
	var all []Info
	for _, c := range s.tables {
		if c.pair != nil {
			all = append(all, c.info)
		}
	}
	slices.SortFunc(all, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return all
}
