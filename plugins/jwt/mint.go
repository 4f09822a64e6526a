package jwt

import (
	"encoding/base64"
	"errors"
	"fmt"

	lib "github.com/golang-jwt/jwt/v5"

	"pingap/message"
	"pingap/plugins"
)

// mint signs bodies.
type mint struct {
	method *lib.SigningMethodHMAC
	secret []byte
	head   []byte // encoded, with the dot behind it
	max    int64  // bytes of a body
}

// readMint returns the path whose responses are signed and what signs them; nothing without it.
func readMint(p *plugins.Parameters) (path string, m *mint, err error) {
	size := p.Size("max_body")
	if size < 1 || size > maxMaxBody {
		return "", nil, plugins.Errorf("max_body", "expected 1 byte to 1mib")
	}
	if path, err = p.Path("auth_path"); err != nil || path == "" {
		return "", nil, err
	}
	secret := p.String("secret")
	if secret == "" {
		return "", nil, plugins.Errorf("auth_path", "needs secret: tokens are signed with it")
	}
	method := lib.SigningMethodHS256
	switch p.String("algorithm") {
	case "HS384":
		method = lib.SigningMethodHS384
	case "HS512":
		method = lib.SigningMethodHS512
	}
	head := base64.RawURLEncoding.AppendEncode(nil, fmt.Appendf(nil, `{"alg": "%s","typ": "JWT"}`, method.Alg()))
	return path, &mint{method: method, secret: []byte(secret), head: append(head, '.'), max: size}, nil
}

// answer is the body that takes the place of what it signs.
func (m *mint) answer(dst, payload []byte) ([]byte, error) {
	token := append(make([]byte, 0, len(m.head)+len(payload)*4/3+96), m.head...)
	token = base64.RawURLEncoding.AppendEncode(token, payload)
	signature, err := m.method.Sign(string(token), m.secret)
	if err != nil {
		return dst, fmt.Errorf("sign a token: %w", err)
	}
	token = base64.RawURLEncoding.AppendEncode(append(token, '.'), signature)
	return append(append(append(dst, `{"token": "`...), token...), `"}`...), nil
}

// minting is an instance with auth_path. Only these act on responses.
type minting struct {
	*guard
	mint *mint
}

// mints reports whether the response is one that is made a token: one with a body, and all of it.
func (g *minting) mints(e *plugins.Exchange) bool {
	r := &e.Response
	if r.Status < 200 || r.Status > 299 || r.Status == 204 || r.Status == 205 || r.Status == 206 {
		return false
	}
	return g.isAuthPath(e) && (r.BodyLength != 0 || e.Request.MethodID == message.HEAD)
}

// Response makes the head that of a token.
func (g *minting) Response(e *plugins.Exchange) {
	if !g.mints(e) {
		return
	}
	f := &e.Response.Fields
	f.Set("Content-Type", []byte("application/json; charset=utf-8"))
	f.Set("Cache-Control", []byte("private, no-store"))
	// They speak of the body that is signed.
	for _, id := range [...]message.Name{message.ETag, message.LastModified, message.AcceptRanges, message.Expires, message.Age} {
		f.DelID(id)
	}
	for _, name := range [...]string{"Content-MD5", "Digest", "Content-Digest", "Repr-Digest"} {
		f.Del(name)
	}
}

// BodyFilter signs the body.
func (g *minting) BodyFilter(e *plugins.Exchange) plugins.Filter {
	if !g.mints(e) {
		return nil
	}
	encoding := e.Response.Fields.Get(message.ContentEncoding)
	return &signing{mint: g.mint, head: e.Request.MethodID == message.HEAD,
		encoded: len(encoding) > 0 && !message.EqualFold(encoding, "identity")}
}

var (
	errLong    = errors.New("jwt: the response on auth_path is longer than max_body")
	errEncoded = errors.New("jwt: the response on auth_path is compressed, though nobody asked for it")
)

// signing holds one body until it is complete.
type signing struct {
	mint          *mint
	head, encoded bool
	held          []byte
}

// Filter holds piece back until the last.
func (s *signing) Filter(dst, piece []byte, last bool) ([]byte, error) {
	switch {
	case s.head:
		return dst, nil
	case s.encoded: // the token would hold bytes that are no claims
		return dst, errEncoded
	case int64(len(s.held)+len(piece)) > s.mint.max:
		return dst, errLong
	}
	s.held = append(s.held, piece...)
	if !last || len(s.held) == 0 {
		return dst, nil
	}
	return s.mint.answer(dst, s.held)
}
