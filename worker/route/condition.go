package route

import (
	"fmt"

	"pingap/config"
	"pingap/message"
)

// condition asks for a value by name: any value, or one that is equal.
type condition struct{ config.Match }

// conditions must all hold.
type conditions struct {
	headers, query, cookies []condition
}

func compileConditions(cfg *config.Location) (c conditions, err error) {
	if c.headers, err = parseConditions(cfg.MatchHeaders); err != nil {
		return c, fmt.Errorf("match_headers: %w", err)
	}
	if c.query, err = parseConditions(cfg.MatchQuery); err != nil {
		return c, fmt.Errorf("match_query: %w", err)
	}
	if c.cookies, err = parseConditions(cfg.MatchCookies); err != nil {
		return c, fmt.Errorf("match_cookies: %w", err)
	}
	return c, nil
}

func parseConditions(entries []string) ([]condition, error) {
	var out []condition
	for _, entry := range entries {
		match, err := config.ParseMatch(entry)
		if err != nil {
			return nil, err
		}
		out = append(out, condition{match})
	}
	return out, nil
}

func (c *conditions) hold(r *message.Request) bool {
	_, failing := c.failing(r)
	return failing == nil
}

// failing returns the first condition that does not hold, and where it looks; nil if all hold.
func (c *conditions) failing(r *message.Request) (where string, which *condition) {
	for i := range c.headers {
		if value, ok := r.Fields.Lookup(c.headers[i].Name); !c.headers[i].accepts(value, ok) {
			return "header", &c.headers[i]
		}
	}
	for i := range c.query {
		if value, ok := r.QueryValue(c.query[i].Name); !c.query[i].accepts(value, ok) {
			return "query key", &c.query[i]
		}
	}
	for i := range c.cookies {
		if value, ok := r.Fields.CookieValue(c.cookies[i].Name); !c.cookies[i].accepts(value, ok) {
			return "cookie", &c.cookies[i]
		}
	}
	return "", nil
}

func (c *condition) accepts(value []byte, present bool) bool {
	return present && (!c.Exact || string(value) == c.Value)
}
