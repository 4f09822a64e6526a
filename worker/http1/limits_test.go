package http1

import (
	"strings"
	"testing"

	"pingap/message"
)

func TestLimitsOfARequestHead(t *testing.T) {
	limits := Limits{Head: 2000, Fields: 10, Target: 100}
	line := func(target int) string { return "GET /" + strings.Repeat("a", target-1) + " HTTP/1.1\r\nHost: h\r\n" }
	sized := func(size int) string {
		start := line(1) + "X: "
		return start + strings.Repeat("a", size-len(start)-4) + "\r\n\r\n"
	}
	for _, tc := range []struct {
		name, raw string
		status    int // 0 for accepted
	}{
		{"target just inside", line(100) + "\r\n", 0},
		{"target one over", line(101) + "\r\n", 414},
		{"target far over, no end yet", line(500)[:400], 414},
		{"fields just inside", line(1) + strings.Repeat("A: b\r\n", 9) + "\r\n", 0},
		{"one field over", line(1) + strings.Repeat("A: b\r\n", 10) + "\r\n", 431},
		{"dropped fields do not count", line(1) + strings.Repeat("Keep_Alive: b\r\n", 20) + "\r\n", 0},
		{"head just inside", sized(2000), 0},
		{"head just inside, more behind", sized(2000) + "GET ", 0},
		{"head one over", sized(2001), 431},
		{"head one over, its end not there", sized(2001)[:2000], 431},
		{"a long target in a long head", line(2500), 414},
	} {
		var req message.Request
		n, _, err := ParseRequest([]byte(tc.raw), &req, &limits)
		got := 0
		if err != nil {
			got = err.Status
		}
		if got != tc.status || (n > 0) != (tc.status == 0) {
			t.Errorf("%s: %d bytes, %v, want %d", tc.name, n, err, tc.status)
		}
	}
}

func TestLimitsOfAResponseHead(t *testing.T) {
	limits := Limits{Head: 500, Fields: 10}
	sized := func(size int) string {
		start := "HTTP/1.1 200 OK\r\nX: "
		return start + strings.Repeat("a", size-len(start)-4) + "\r\n\r\n"
	}
	for _, tc := range []struct {
		name, raw string
		want      *Error
	}{
		{"head just inside", sized(500), nil},
		{"head one over", sized(501), ErrHeadSize},
		{"head one over, its end not there", sized(501)[:500], ErrHeadSize},
		{"fields just inside", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 10) + "\r\n", nil},
		{"one field over", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 11) + "\r\n", ErrFieldCount},
	} {
		var resp message.Response
		if n, _, err := ParseResponse([]byte(tc.raw), &resp, &limits, Ask{}); err != tc.want || (n > 0) != (tc.want == nil) {
			t.Errorf("%s: %d bytes, %v, want %v", tc.name, n, err, tc.want)
		}
	}
}

// A head that comes byte by byte is parsed a few times, not once a byte.
func TestScanBoundsTheLooksAtASlowHead(t *testing.T) {
	long := "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: "+strings.Repeat("a", 500)+"\r\n", 120) + "\r\n"
	many := "\r\nGET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("a:b\r\n", 4000) + "\r\n"
	for _, head := range []string{long, many} {
		var s Scan
		looks, bytes := 0, 0
		for k := 1; k <= len(head); k++ {
			if s.Ready([]byte(head[:k]), 64<<10) {
				looks++
				bytes += k
			} else if k == len(head) {
				t.Error("the end of the head was not seen")
			}
		}
		if looks > 24 || bytes > 4*len(head) {
			t.Errorf("%d looks at %d bytes for a head of %d", looks, bytes, len(head))
		}
	}
}

func TestScanSeesTheEndOfEveryHead(t *testing.T) {
	for _, row := range append(table(t, "good_requests.txt", 3), table(t, "bad_requests.txt", 4)...) {
		raw := row[len(row)-1]
		if len(row) == 3 {
			raw = row[1]
		}
		_, whole, _, wrong := parseRequest(raw)
		end := strings.Contains(raw, "\n\r\n") || strings.Contains(raw, "\n\n") || whole > 0
		for k := 1; k < len(raw) && end; k++ { // two reads, then a third with nothing new but the rest
			var s Scan
			if !s.Ready([]byte(raw[:k]), 64<<10) {
				t.Fatalf("%s: no first look", row[0])
			}
			if _, n, _, err := parseRequest(raw[:k]); n > 0 || err != nil {
				break
			}
			if !s.Ready([]byte(raw), 64<<10) {
				t.Errorf("%s: no look at the rest behind byte %d; the verdict would be %v", row[0], k, wrong)
			}
		}
	}
}

func TestScanLooksWhenTheSpaceIsFull(t *testing.T) {
	var s Scan
	s.Ready(make([]byte, 90), 100)
	if s.Ready(make([]byte, 99), 100) || !s.Ready(make([]byte, 100), 100) {
		t.Error("a look at 99 of 100 bytes, or none at 100")
	}
}
