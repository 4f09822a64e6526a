package similar

import (
	"strings"
	"testing"
)

func TestSlipsOfAFingerAreNear(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"addr", "addr", 0}, {"adr", "addr", 1}, {"addrr", "addr", 1}, {"adxr", "addr", 1}, {"dadr", "addr", 1}, {"locatoins", "locations", 1},
		{"adrx", "addr", 2}, {"path", "addr", 3}, {"a", "abcdefgh", 3}, {strings.Repeat("x", 200), strings.Repeat("x", 200), 3},
	} {
		if got := Distance(c.a, c.b, 3); got != c.want {
			t.Errorf("%.20q and %.20q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
