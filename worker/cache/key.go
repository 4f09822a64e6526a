package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"strings"

	"pingap/message"
)

// Key names what is stored: a hash of the key's text, which is stored too and compared.
type Key [16]byte

// KeyOf is the key of a text. All processes that share files have the same; one that keeps responses in memory has its own, which cost less and
// cannot be foreseen.
func (c *Cache) KeyOf(text []byte) (k Key) {
	if c.files != nil {
		sum := sha256.Sum256(text)
		return Key(sum[:len(k)])
	}
	binary.NativeEndian.PutUint64(k[:], maphash.Bytes(c.seeds[0], text))
	binary.NativeEndian.PutUint64(k[8:], maphash.Bytes(c.seeds[1], text))
	return k
}

// Request is what of a request makes its key.
type Request struct {
	Secure bool
	Host   []byte // as received
	Target []byte // path and query, which are not changed: a server may tell any two apart
}

// AppendKey appends the text of a key: namespace, then scheme, host and target. Extra parts come with AppendPart. Its parts are divided by line
// ends, which can be in none of them.
func AppendKey(dst []byte, namespace string, r Request) []byte {
	dst = append(dst, namespace...)
	dst = append(dst, '\n')
	scheme, port := "http", ":80"
	if r.Secure {
		scheme, port = "https", ":443"
	}
	dst = append(dst, scheme...)
	dst = append(dst, "://"...)
	host := r.Host
	if len(host) > len(port) && string(host[len(host)-len(port):]) == port {
		host = host[:len(host)-len(port)]
	}
	at := len(dst)
	dst = append(dst, host...)
	for i, c := range dst[at:] {
		if c >= 'A' && c <= 'Z' {
			dst[at+i] = c | 0x20
		}
	}
	if len(r.Target) == 0 || r.Target[0] != '/' {
		dst = append(dst, '/') // "*" must not become part of the host
	}
	return append(dst, r.Target...)
}

// AppendPart appends the value of a field of the request to the text of a key, with its name.
func AppendPart(dst []byte, name string, fields []message.Field) []byte {
	dst = append(dst, '\n')
	dst = append(dst, name...)
	dst = append(dst, ':')
	return appendValue(dst, name, fields)
}

// variant is the key of the response to a request whose fields named names have these values.
func (c *Cache) variant(k Key, generation uint64, names []string, fields []message.Field) Key {
	var room [512]byte
	text := append(room[:0], k[:]...)
	text = binary.BigEndian.AppendUint64(text, generation)
	for _, name := range names {
		text = AppendPart(text, name, fields)
	}
	return c.KeyOf(text)
}

// Place is what the text of a key says of where a response is from.
type Place struct{ Namespace, Host, Target string }

// PlaceOf takes the text of a key apart.
func PlaceOf(key []byte) (p Place) {
	text := string(key)
	var rest string
	p.Namespace, rest, _ = strings.Cut(text, "\n")
	rest, _, _ = strings.Cut(rest, "\n")
	_, rest, _ = strings.Cut(rest, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		p.Host, p.Target = rest[:i], rest[i:]
		return p
	}
	p.Host = rest
	return p
}
