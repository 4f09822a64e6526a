package csrf

import (
	"crypto/subtle"
	"errors"
	"strconv"
	"time"

	"pingap/message"
	"pingap/plugins"
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "csrf",
		Summary:  "Refuses requests that change something and bring no token of this site.",
		Steps:    []plugins.Step{plugins.Request},
		Plain:    true,
		Params: []plugins.Param{
			{Name: "token_path", Type: plugins.String, Required: true, Help: "Path that is answered with a fresh token; compared whole, without the query."},
			{Name: "key", Type: plugins.String, Required: true, Secret: true, Help: "What tokens are signed with; the same on all hosts of a site."},
			{Name: "name", Type: plugins.String, Default: "x-csrf-token", Help: "Name of the cookie, and of the request field that must have the same value."},
			{Name: "ttl", Type: plugins.Duration, Help: "How long a token is valid; 0s is for ever."},
		},
		New: build,
	}
}

// csrf is an instance.
type csrf struct {
	path    string
	name    string
	key     []byte
	ttl     time.Duration   // 0 for ever
	cookie  [2]string       // what stands before and behind the token in Set-Cookie
	refused *plugins.Answer // shared by all requests
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	path, pathErr := p.Path("token_path")
	c := &csrf{path: path, name: p.String("name"), key: []byte(p.String("key")), ttl: p.Duration("ttl")}
	c.refused = plugins.Text(401, "Csrf token is empty or invalid")
	var nameErr, ttlErr error
	if err := plugins.CheckFieldName(c.name); err != nil {
		nameErr = plugins.Errorf("name", "%v", err)
	}
	if c.ttl > 0 && c.ttl < time.Second {
		ttlErr = plugins.Errorf("ttl", "expected at least 1s, or 0s for ever, found %s", c.ttl)
	}
	if err := errors.Join(pathErr, nameErr, ttlErr); err != nil {
		return nil, err
	}
	c.cookie = [2]string{c.name + "=", "; Path=/"}
	if c.ttl > 0 {
		c.cookie[1] += "; Max-Age=" + strconv.FormatInt(int64(c.ttl/time.Second), 10)
	}
	return c, nil
}

// Decide gives a token out, or asks for it.
func (c *csrf) Decide(e *plugins.Exchange) plugins.Decision {
	r := &e.Request
	if string(r.NormalPath()) == c.path {
		return plugins.Respond(c.give(), "csrf token given")
	}
	switch r.MethodID {
	case message.GET, message.HEAD, message.OPTIONS:
		return plugins.Continue
	}
	field, ok := r.Fields.Lookup(c.name)
	if !ok || len(field) == 0 {
		return plugins.Respond(c.refused, "csrf token missing")
	}
	cookie, _ := r.Fields.CookieValue(c.name)
	// Both must be right, and the same: a site that can set a cookie cannot set the field.
	if subtle.ConstantTimeCompare(field, cookie) != 1 || !valid(field, c.key, time.Now(), c.ttl) {
		return plugins.Respond(c.refused, "csrf token invalid")
	}
	return plugins.Continue
}

func (c *csrf) give() *plugins.Answer {
	a := &plugins.Answer{Status: 204}
	a.AddField("Cache-Control", "private, no-store")
	a.AddField("Set-Cookie", c.cookie[0]+newToken(c.key, time.Now())+c.cookie[1])
	return a
}
