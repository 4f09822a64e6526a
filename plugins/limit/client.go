package limit

import (
	"bytes"

	"pingap/arena"
	"pingap/message"
	"pingap/plugins"
)

// scratchSize is the room for a value of the query that has to be decoded; a longer one is allocated.
const scratchSize = 128

// client tells whose request it is.
type client struct {
	tag  string
	key  string
	id   message.Name // of the header, where it is a well-known one
	keys arena.Keys   // of the name only: what a client has used stays when parameters change
}

func newClient(p *plugins.Parameters) (client, error) {
	c := client{tag: p.String("tag"), key: p.String("key")}
	if services := p.Services(); services != nil && services.Arena != nil {
		c.keys = services.Arena.Keys(p.Name())
	}
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
