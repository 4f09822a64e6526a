package jwt

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	lib "github.com/golang-jwt/jwt/v5"

	"pingap/plugins"
)

// maxToken bounds what is decoded before a signature was verified, in bytes.
const maxToken = 16 << 10

// outcome is what is thought of a token.
type outcome int

const (
	passed outcome = iota
	missing
	malformed
	invalid
	expired
	outcomes
)

func (o outcome) answer() *plugins.Answer {
	a := plugins.Text(401, [outcomes]string{
		missing: "Jwt authorization is missing", malformed: "Jwt authorization format is invalid",
		invalid: "Jwt authorization is invalid", expired: "Jwt authorization is expired",
	}[o])
	challenge := "Bearer" // RFC 6750 section 3
	if o != missing {
		challenge += ` error="invalid_token"`
	}
	a.AddField("WWW-Authenticate", challenge)
	return a
}

func (o outcome) reason() string {
	return [outcomes]string{missing: "token missing", malformed: "token malformed", invalid: "token invalid", expired: "token expired"}[o]
}

// verify returns the claims of a token, which are to be believed if it passed.
func (g *guard) verify(token string) (lib.MapClaims, outcome) {
	if len(token) > maxToken {
		return nil, invalid
	}
	if strings.Count(token, ".") != 2 {
		if g.symmetric {
			return nil, malformed
		}
		return nil, invalid
	}
	claims := lib.MapClaims{}
	_, err := g.parser.ParseWithClaims(token, claims, g.key)
	// Claims are looked at behind the signature only: with this error it is right.
	if g.symmetric && (err == nil || errors.Is(err, lib.ErrTokenInvalidClaims)) && g.isOver(claims) {
		return nil, expired
	}
	if err != nil {
		return nil, invalid
	}
	return claims, passed
}

var errCritical = errors.New("the token wants an extension to be understood")

// key finds the key for a token whose algorithm is one of those allowed. The token is not to be believed yet.
func (g *guard) key(token *lib.Token) (any, error) {
	if _, critical := token.Header["crit"]; critical { // RFC 7515 section 4.1.11: we understand none
		return nil, errCritical
	}
	kid, _ := token.Header["kid"].(string)
	return g.keys.find(kid, token.Method.Alg())
}

// isOver reports whether exp has passed. What is no integer counts as long ago; a token without exp never ends.
func (g *guard) isOver(claims lib.MapClaims) bool {
	exp, ok := claims["exp"]
	if !ok {
		return false
	}
	number, _ := exp.(json.Number)
	seconds, err := number.Int64()
	return err != nil || seconds < time.Now().Add(-g.leeway).Unix()
}
