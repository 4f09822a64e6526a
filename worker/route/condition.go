package route

import (
	"bytes"
	"strings"

	"pingap/config"
	"pingap/message"
)

// condition asks for a value by name: any value, or one that is equal.
type condition struct {
	name  string
	value string
	exact bool
}

// conditions must all hold.
type conditions struct {
	headers, query, cookies []condition
}

func compileConditions(cfg *config.Location) conditions {
	return conditions{
		headers: parseConditions(cfg.MatchHeaders),
		query:   parseConditions(cfg.MatchQuery),
		cookies: parseConditions(cfg.MatchCookies),
	}
}

// parseConditions reads entries "name:value" and "name"; blanks around both do not count.
func parseConditions(entries []string) []condition {
	var out []condition
	for _, entry := range entries {
		name, value, exact := strings.Cut(entry, ":")
		out = append(out, condition{strings.TrimSpace(name), strings.TrimSpace(value), exact})
	}
	return out
}

func (c *conditions) hold(r *message.Request) bool {
	for i := range c.headers {
		if value, ok := r.Fields.Lookup(c.headers[i].name); !c.headers[i].accepts(value, ok) {
			return false
		}
	}
	for i := range c.query {
		if value, ok := queryValue(r.Query, c.query[i].name); !c.query[i].accepts(value, ok) {
			return false
		}
	}
	for i := range c.cookies {
		if value, ok := cookieValue(&r.Fields, c.cookies[i].name); !c.cookies[i].accepts(value, ok) {
			return false
		}
	}
	return true
}

func (c *condition) accepts(value []byte, present bool) bool {
	return present && (!c.exact || string(value) == c.value)
}

// queryValue returns the value of the first pair called key, as written (nothing is decoded). A key
// without "=" is not a pair.
func queryValue(query []byte, key string) ([]byte, bool) {
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte{'&'})
		if name, value, ok := bytes.Cut(pair, []byte{'='}); ok && string(name) == key {
			return value, true
		}
	}
	return nil, false
}

// cookieValue returns the value of the first cookie called name; names are case-sensitive.
func cookieValue(fields *message.Fields, name string) ([]byte, bool) {
	list := fields.List()
	for i := range list {
		if list[i].ID != message.Cookie {
			continue
		}
		for rest := list[i].Value; len(rest) > 0; {
			var pair []byte
			pair, rest, _ = bytes.Cut(rest, []byte{';'})
			if key, value, ok := bytes.Cut(pair, []byte{'='}); ok && string(bytes.TrimSpace(key)) == name {
				return bytes.TrimSpace(value), true
			}
		}
	}
	return nil, false
}
