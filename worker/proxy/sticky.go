package proxy

import (
	"crypto/subtle"

	"pingap/message"
)

var nameSetCookie = []byte("Set-Cookie")

// stick sets the cookie that brings the client back to the backend which has answered, unless it came with it.
func (c *conn) stick(name string) {
	s := c.s
	s.cookie = s.backend.AppendSticky(s.cookie[:0])
	if came, ok := s.ex.Request.Fields.CookieValue(name); ok && subtle.ConstantTimeCompare(came, s.cookie) == 1 {
		return
	}
	value := len(s.cookie)
	s.cookie = append(s.cookie, name...)
	s.cookie = append(s.cookie, '=')
	s.cookie = append(s.cookie, s.cookie[:value]...)
	s.cookie = append(s.cookie, "; Path=/; HttpOnly; SameSite=Lax"...)
	if c.info.TLS != nil {
		s.cookie = append(s.cookie, "; Secure"...)
	}
	s.ex.Response.Fields.Append(message.SetCookie, nameSetCookie, s.cookie[value:])
}
