package health

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What comes in pieces is judged as what comes at once, and what is healthy for a check is so for the standard library.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		good, "HTTP/1.1 200 OK\r\n\r\nabc", "HTTP/1.1 100 Continue\r\n\r\n" + good, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a\r\nabc\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n", "HTTP/1.1 500 x\r\n\r\n", "SSH-2.0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		all := readAnswer(data, true)
		if !all.whole || len(all.outcome.reason) > maxReason+3 {
			t.Fatalf("%q is %+v at its end", data, all)
		}
		for i := range data {
			if a := readAnswer(data[:i], false); a.whole {
				// Bytes behind an answer are all that may make a difference.
				if a.outcome.verdict != all.outcome.verdict && all.outcome.verdict == passed {
					t.Fatalf("%q is %+v, its first %d bytes are %+v", data, all, i, a)
				}
				break
			}
		}
		if all.outcome.verdict != passed {
			return
		}
		r := bufio.NewReader(strings.NewReader(string(data)))
		for {
			response, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("%q is healthy: %v", data, err)
			}
			if response.StatusCode < 200 {
				continue
			}
			if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != 200 {
				t.Fatalf("%q is healthy: status %d, %v", data, response.StatusCode, err)
			}
			return
		}
	})
}
