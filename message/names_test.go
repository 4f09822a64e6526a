package message

import (
	"strings"
	"testing"
)

func TestLookupNameInAnyCase(t *testing.T) {
	for n := Unknown + 1; n < nameCount; n++ {
		text := n.String()
		if text == "" {
			t.Errorf("name %d has no spelling", n)
			continue
		}
		for _, spelling := range []string{text, strings.ToLower(text), strings.ToUpper(text)} {
			if got := LookupName([]byte(spelling)); got != n {
				t.Errorf("%s is name %d, want %d", spelling, got, n)
			}
		}
	}
}

func TestLookupNameOfOthers(t *testing.T) {
	others := []string{"", "T", "X", "Hos", "Hostt", "H\x0fst", "Content_Length", "Content-Length ", "Transfer\x0dEncoding",
		"X-Request-I\x44x", strings.Repeat("a", 100), "Accept\x00", "Content-Lengt\xe8"}
	for n := Unknown + 1; n < nameCount; n++ {
		others = append(others, n.String()+"x", n.String()[1:]+"x", strings.ReplaceAll(n.String(), "-", "_")+"_")
	}
	for _, text := range others {
		if got := LookupName([]byte(text)); got != Unknown {
			t.Errorf("%q is %s", text, got)
		}
	}
}

// A byte whose bit 0x20 differs is the same letter only if it is a letter.
func TestEqualFoldFoldsLettersOnly(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			same := a == b || a^b == 0x20 && a|0x20 >= 'a' && a|0x20 <= 'z'
			if got := EqualFold([]byte{byte(a)}, string([]byte{byte(b)})); got != same {
				t.Errorf("%#x and %#x: %v", a, b, got)
			}
		}
	}
	if EqualFold([]byte("ab"), "abc") {
		t.Error("lengths differ")
	}
}

func BenchmarkLookupName(b *testing.B) {
	names := [][]byte{[]byte("host"), []byte("User-Agent"), []byte("x-custom-header"), []byte("Sec-Fetch-Mode")}
	b.ReportAllocs()
	for b.Loop() {
		for _, name := range names {
			LookupName(name)
		}
	}
}
