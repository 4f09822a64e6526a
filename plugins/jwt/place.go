package jwt

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	lib "github.com/golang-jwt/jwt/v5"

	"pingap/message"
	"pingap/plugins"
)

// place is where requests hold their token: in one of these.
type place struct {
	header, cookie, query string
	id                    message.Name // of header
}

func readPlace(p *plugins.Parameters) (place, error) {
	switch {
	case p.String("header") != "":
		name := p.String("header")
		if err := plugins.CheckFieldName(name); err != nil {
			return place{}, plugins.Errorf("header", "%v", err)
		}
		return place{header: name, id: message.LookupName([]byte(name))}, nil
	case p.String("cookie") != "":
		name := p.String("cookie")
		if !message.ValidToken([]byte(name)) {
			return place{}, plugins.Errorf("cookie", "expected the name of a cookie")
		}
		return place{cookie: name}, nil
	case p.String("query") != "":
		name := p.String("query")
		if !message.ValidTarget([]byte(name)) || strings.ContainsAny(name, "&=") {
			return place{}, plugins.Errorf("query", "expected a name as it stands in a query, without & and =")
		}
		return place{query: name}, nil
	}
	return place{}, plugins.Errorf("header", "Jwt key or key type is not allowed empty: give header, cookie or query")
}

// find returns the token of a request.
func (p *place) find(r *message.Request) (string, outcome) {
	var token []byte
	switch {
	case p.cookie != "":
		token, _ = r.Fields.CookieValue(p.cookie)
	case p.query != "":
		token, _ = r.QueryValue(p.query)
	default:
		count := 0
		for _, f := range r.Fields.List() {
			if f.ID == p.id && (f.ID != message.Unknown || message.EqualFold(f.Name, p.header)) {
				token = f.Value
				count++
			}
		}
		if count > 1 { // a backend might believe another one than we do
			return "", invalid
		}
		token = withoutBearer(token)
	}
	if len(token) == 0 {
		return "", missing
	}
	return string(token), passed
}

func withoutBearer(value []byte) []byte {
	const scheme = "Bearer "
	if len(value)+1 >= len(scheme) && message.EqualFold(value[:len(scheme)-1], scheme[:len(scheme)-1]) {
		if len(value) < len(scheme) {
			return nil // the scheme and nothing behind it
		}
		if value[len(scheme)-1] == ' ' {
			return value[len(scheme):]
		}
	}
	return value
}

// maxClaim bounds a claim that is made a field, in bytes.
const maxClaim = 4 << 10

// claimHeader is a claim that the upstream gets as a field.
type claimHeader struct{ claim, name string }

func readClaims(texts []string) ([]claimHeader, error) {
	var all []claimHeader
	var problems []error
	for i, text := range texts {
		// From the end: a claim may be a URL, and a field's name has no colon.
		colon := strings.LastIndexByte(text, ':')
		claim, name := text[:max(colon, 0)], strings.TrimSpace(text[colon+1:])
		if strings.TrimSpace(claim) == "" {
			problems = append(problems, plugins.EntryErrorf("claim_headers", i, "expected \"claim:name\""))
			continue
		}
		if err := plugins.CheckFieldName(name); err != nil {
			problems = append(problems, plugins.EntryErrorf("claim_headers", i, "%v", err))
			continue
		}
		all = append(all, claimHeader{claim: strings.TrimSpace(claim), name: name})
	}
	return all, errors.Join(problems...)
}

// set gives the request the field, if the claim is one that fits into one.
func (c *claimHeader) set(fields *message.Fields, claims lib.MapClaims) {
	var text string
	switch v := claims[c.claim].(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	case bool:
		text = strconv.FormatBool(v)
	}
	if text == "" || len(text) > maxClaim || !message.ValidValue([]byte(text)) {
		return
	}
	fields.Add(c.name, []byte(text))
}
