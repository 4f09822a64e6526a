package message

import (
	"strings"
	"testing"
)

func TestCharacterClasses(t *testing.T) {
	const tokens = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for i := range 256 {
		c := byte(i)
		if want := c < 0x80 && strings.IndexByte(tokens, c) >= 0; IsToken(c) != want {
			t.Errorf("token %#x: %v", c, !want)
		}
		if want := c == '\t' || c == ' ' || c > ' ' && c != 0x7f; IsValue(c) != want {
			t.Errorf("value %#x: %v", c, !want)
		}
		if want := c > ' ' && c < 0x7f && strings.IndexByte("\"#<>", c) < 0; IsTarget(c) != want {
			t.Errorf("target %#x: %v", c, !want)
		}
	}
}

func TestValidWords(t *testing.T) {
	cases := []struct {
		text                 string
		token, value, target bool
	}{
		{"", false, true, false},
		{"GET", true, true, true},
		{"a b", false, true, false},
		{"a:b", false, true, true},
		{"/a#b", false, true, false},
		{"/<script>", false, true, false},
		{"a\tb", false, true, false},
		{"a\rb", false, false, false},
		{"a\nb", false, false, false},
		{"a\x00b", false, false, false},
		{"a\x7fb", false, false, false},
		{"caf\xc3\xa9", false, true, false},
	}
	for _, c := range cases {
		b := []byte(c.text)
		if ValidToken(b) != c.token || ValidValue(b) != c.value || ValidTarget(b) != c.target {
			t.Errorf("%q: token %v, value %v, target %v", c.text, ValidToken(b), ValidValue(b), ValidTarget(b))
		}
	}
}
