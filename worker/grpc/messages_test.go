package grpc

import "testing"

func TestBetweenMessages(t *testing.T) {
	for text, want := range map[string]bool{
		"":                           true,
		"\x00":                       false,
		"\x00\x00\x00\x00":           false,
		"\x00\x00\x00\x00\x00":       true,
		"\x00\x00\x00\x00\x02a":      false,
		"\x00\x00\x00\x00\x02ab":     true,
		"\x01\x00\x00\x00\x02ab\x00": false,
		"\x01\x00\x00\x00\x02ab\x00\x00\x00\x00\x01c":      true,
		"\x00\xff\xff\xff\xffabc":                          false,
		"\x00\x00\x00\x01\x00" + string(make([]byte, 255)): false,
		"\x00\x00\x00\x01\x00" + string(make([]byte, 256)): true,
	} {
		for piece := 1; piece <= max(1, len(text)); piece++ {
			var m Messages
			for at := 0; at < len(text); at += piece {
				m.Feed([]byte(text[at:min(at+piece, len(text))]))
			}
			if m.Between() != want {
				t.Errorf("%.40q in pieces of %d: %t, want %t", text, piece, m.Between(), want)
			}
		}
	}
}
