package limit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"pingap/arena"
	"pingap/message"
	"pingap/plugins"
)

const (
	seedSize = 16
	// direct is the length of a value that is hashed in one go: with the seed it fills two blocks of SHA-256.
	direct = 2*sha256.BlockSize - 9 - seedSize - 1
	// scratchSize is the room for a value of the query that has to be decoded; a longer one is allocated.
	scratchSize = 128
)

// client tells whose request it is.
type client struct {
	tag  string
	key  string
	id   message.Name // of the header, where it is a well-known one
	seed [seedSize]byte
}

func newClient(p *plugins.Parameters) (client, error) {
	c := client{tag: p.String("tag"), key: p.String("key")}
	// The name only: what a client has used stays when parameters change.
	digest := sha256.Sum256([]byte("pingap limit\x00" + p.Name()))
	copy(c.seed[:], digest[:])
	switch c.tag {
	case "header":
		if c.key != "" && !message.ValidToken([]byte(c.key)) {
			return c, plugins.Errorf("key", "expected the name of a header")
		}
		c.id = message.LookupName([]byte(c.key))
	case "cookie":
		if c.key != "" && !message.ValidToken([]byte(c.key)) {
			return c, plugins.Errorf("key", "expected the name of a cookie")
		}
	case "query":
	default:
		return c, nil
	}
	if c.key == "" {
		return c, plugins.Errorf("key", "is required with tag %s: the name of the %s", c.tag, map[string]string{
			"header": "header", "cookie": "cookie", "query": "query parameter"}[c.tag])
	}
	return c, nil
}

// value is by what the request is told apart; empty for nothing. It may lie in scratch.
func (c *client) value(e *plugins.Exchange, scratch []byte) []byte {
	switch c.tag {
	case "ip":
		return e.ClientIPText
	case "path":
		return e.Request.NormalPath()
	case "cookie":
		value, _ := e.Request.Fields.CookieValue(c.key)
		return value
	case "query":
		return queryValue(e.Request.Query, c.key, scratch)
	}
	switch c.id {
	case message.Host: // in HTTP/2 it is no field
		return e.Request.Host
	case message.Unknown:
	default:
		return e.Request.Fields.Get(c.id)
	}
	value, _ := e.Request.Fields.Lookup(c.key)
	return value
}

// queryValue returns the value of the first parameter with this name, decoded: backends decode too, and "%61" must not be
// another client than "a".
func queryValue(query []byte, key string, scratch []byte) []byte {
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte{'&'})
		name, value, _ := bytes.Cut(pair, []byte{'='})
		if string(name) == key || encoded(name) && string(decode(scratch, name)) == key {
			if encoded(value) {
				return decode(scratch, value)
			}
			return value
		}
	}
	return nil
}

func encoded(b []byte) bool {
	return bytes.IndexByte(b, '%') >= 0 || bytes.IndexByte(b, '+') >= 0
}

// decode appends b without percent-encoding, and with blanks for plus signs. What is no encoding stays.
func decode(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '+':
			dst = append(dst, ' ')
			continue
		case b[i] == '%' && i+2 < len(b):
			high, low := message.Unhex(b[i+1]), message.Unhex(b[i+2])
			if high >= 0 && low >= 0 {
				dst = append(dst, byte(high<<4|low))
				i += 2
				continue
			}
		}
		dst = append(dst, b[i])
	}
	return dst
}

// place is under which key the arena keeps what a client has used. The arena mixes it with a secret of its own.
func (c *client) place(value []byte) arena.Key {
	digest := c.digest(value)
	return arena.Key{binary.LittleEndian.Uint64(digest[:]), binary.LittleEndian.Uint64(digest[8:])}
}

func (c *client) digest(value []byte) [sha256.Size]byte {
	var b [seedSize + 1 + direct]byte
	copy(b[:], c.seed[:])
	if len(value) > direct {
		b[seedSize] = 1
		inner := sha256.Sum256(value)
		n := copy(b[seedSize+1:], inner[:])
		return sha256.Sum256(b[:seedSize+1+n])
	}
	n := copy(b[seedSize+1:], value)
	return sha256.Sum256(b[:seedSize+1+n])
}
