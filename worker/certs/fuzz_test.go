package certs

import (
	"crypto/tls"
	"testing"
)

// Whatever a client sends as a ticket is opened to what was sealed, or to nothing.
func FuzzTicket(f *testing.F) {
	s := &sealer{tickets: NewTickets()}
	f.Add([]byte{})
	f.Add(make([]byte, keyNameSize+saltSize))
	f.Add([]byte("a state"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if session, err := s.unwrap(data, tls.ConnectionState{}); session != nil || err != nil {
			t.Errorf("%x: %v, %v", data, session, err)
		}
		ticket := s.seal(data)
		if got := s.open(ticket); string(got) != string(data) {
			t.Errorf("%x became %x", data, got)
		}
		if session, err := s.unwrap(ticket, tls.ConnectionState{}); err != nil {
			t.Errorf("%x: %v, %v", data, session, err)
		}
	})
}

// Names that clients ask for never reach a certificate or a log as they are.
func FuzzServerName(f *testing.F) {
	for _, name := range []string{"", "a.test", "A.b.C", "*.x", "\x00", "a..b", "-", "127.0.0.1", "::1", "\u00fc.test"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if shown := printable(name); len(shown) > maxPrintable+2 {
			t.Errorf("%d bytes are shown", len(shown))
		}
		for _, c := range []byte(printable(name)) {
			if c < 0x20 || c > 0x7e {
				t.Errorf("%q is shown with %x", name, c)
			}
		}
		if subject, err := subjectFor(name); err == nil && len(subject) > 253 {
			t.Errorf("%q gives %q", name, subject)
		}
	})
}
