package dns

import (
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func FuzzRead(f *testing.F) {
	q := question{"a.test.", dnsmessage.TypeA}
	for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeSRV} {
		text, err := question{"a.test.", kind}.pack(1, true)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		text[2] |= 0x80 // an answer without records
		f.Add(text)
	}
	f.Add(append([]byte{0, 1, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0}, "\x01a\x04test\x00\x00\x01\x00\x01\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x0c\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01"...))
	f.Fuzz(func(t *testing.T, message []byte) {
		r, err := q.read(message, 1)
		if err != nil {
			return
		}
		if r.ttl < 0 || len(r.services) > 0 {
			t.Errorf("%+v", r)
		}
		for _, ip := range r.addrs {
			if !ip.Is4() {
				t.Errorf("%v", ip)
			}
		}
	})
}
