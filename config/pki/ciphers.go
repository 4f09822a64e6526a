package pki

import (
	"fmt"
	"strings"
)

// maxWords bounds what a cipher list may hold.
const maxWords = 1000

// Ciphers reads a list of suites up to TLS 1.2 in OpenSSL's spelling: names and words for groups with colons between, + for
// both, ! and - for without. The order means nothing, as crypto/tls decides by what is fast and safe. odd says
// what of the list is not known or has no effect; err is a list that leaves nothing.
func Ciphers(list string) (ids []uint16, odd []string, err error) {
	all := suites()
	c := choice{all: all, in: make([]bool, len(all)), never: make([]bool, len(all))}
	words := strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' || r == '\n' || r == '\t' })
	if len(words) > maxWords {
		return nil, nil, fmt.Errorf("expected at most %d names", maxWords)
	}
	for _, word := range words {
		c.take(word)
	}
	for i := range all {
		if c.in[i] {
			ids = append(ids, all[i].id)
		}
	}
	if len(ids) == 0 {
		return nil, c.odd, fmt.Errorf("expected names of cipher suites such as ECDHE-RSA-AES128-GCM-SHA256, found none that this build has")
	}
	return ids, c.odd, nil
}

// choice is the state of reading a list.
type choice struct {
	all       []suite
	in, never []bool
	odd       []string
}

func (c *choice) note(format string, args ...any) {
	c.odd = append(c.odd, fmt.Sprintf(format, args...))
}

// take handles one word with the sign in front of it.
func (c *choice) take(word string) {
	switch word[0] {
	case '@':
		if word != "@STRENGTH" {
			c.note("%s has no effect", clip(word))
		}
		return
	case '!', '-':
		for _, i := range c.find(word[1:], false) {
			c.in[i] = false
			c.never[i] = c.never[i] || word[0] == '!'
		}
		return
	case '+': // moves to the end, and the order means nothing
		c.find(word[1:], false)
		return
	}
	for _, i := range c.find(word, true) {
		c.in[i] = !c.never[i]
	}
}

// find gives the suites that a word means. Words for what Go lacks are noted where they were to add something.
func (c *choice) find(word string, add bool) []int {
	if strings.Contains(newSuites, " "+word+" ") {
		c.note("%s is a suite of TLS 1.3 and belongs into tls_ciphersuites", word)
		return nil
	}
	parts := strings.Split(word, "+")
	for _, part := range parts {
		if !c.known(part) {
			c.note("%q is no cipher suite or group that this build knows", clip(part))
			return nil
		}
	}
	var found []int
	for i := range c.all {
		if c.all[i].hasAll(parts) && (!add || c.all[i].meant(parts)) {
			found = append(found, i)
		}
	}
	if len(found) == 0 && add {
		c.note("%s has no effect, this build has no such cipher suite", clip(word))
	}
	return found
}

func (c *choice) known(word string) bool {
	if word == "ALL" || word == "DEFAULT" || strings.Contains(emptyGroups, " "+word+" ") {
		return word != ""
	}
	for i := range c.all {
		if c.all[i].has(word) {
			return true
		}
	}
	return isForeign(word)
}

// isForeign knows names of suites that OpenSSL has and Go has not, by the words that they are made of.
func isForeign(word string) bool {
	const made = " DHE EDH ADH AECDH ECDHE ECDH PSK SRP RSA DSS ECDSA DSA AES AES128 AES256 GCM CCM CCM8 SHA SHA256 SHA384 MD5 CHACHA20 POLY1305" +
		" CAMELLIA128 CAMELLIA256 ARIA128 ARIA256 SEED IDEA CBC CBC3 DES RC4 RC2 NULL 3DES EDE EXP anon DSS "
	parts := strings.Split(word, "-")
	for _, part := range parts {
		if !strings.Contains(made, " "+part+" ") {
			return false
		}
	}
	return len(parts) > 1
}

func (s *suite) hasAll(words []string) bool {
	for _, word := range words {
		has := s.has(word)
		switch word {
		case "ALL":
			has = true
		case "DEFAULT":
			has = s.usual()
		}
		if !has {
			return false
		}
	}
	return true
}

// NewCiphers judges a list of suites of TLS 1.3. crypto/tls lets nobody choose among them: odd says so where the list is
// not all of them, err is a list that names none.
func NewCiphers(list string) (odd []string, err error) {
	found := map[string]bool{}
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		if !strings.Contains(newSuites, " "+word+" ") {
			odd = append(odd, fmt.Sprintf("%q is no cipher suite of TLS 1.3 that this build has", clip(word)))
			continue
		}
		found[word] = true
	}
	if len(found) == 0 {
		return odd, fmt.Errorf("expected a list of%s", strings.TrimSuffix(newSuites, " "))
	}
	if len(found) < len(strings.Fields(newSuites)) {
		odd = append(odd, "all cipher suites of TLS 1.3 stay on, this build cannot choose among them")
	}
	return odd, nil
}
