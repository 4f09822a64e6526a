package health

import (
	"bufio"
	"bytes"
	"net/http"
	"strconv"
)

// Bounds of an answer, in bytes. A longer body is as good as one that has ended: the connection is closed.
const (
	maxAnswerHead = 64 << 10
	maxAnswerBody = 64 << 10
)

// answer is what is known of a response.
type answer struct {
	whole   bool // nothing more needs to be read
	keep    bool // the connection may serve another request
	outcome outcome
}

func bad(format string, args ...any) answer {
	return answer{whole: true, outcome: refused(format, args...)}
}

// readAnswer judges a response of which data has come so far, and nothing more comes at the end.
func readAnswer(data []byte, end bool) answer {
	for all := len(data); ; {
		n := bytes.Index(data[:min(len(data), maxAnswerHead)], []byte("\r\n\r\n"))
		switch {
		case n < 0 && len(data) >= maxAnswerHead:
			return bad("the head of the answer is longer than %d bytes", maxAnswerHead)
		case n < 0 && end:
			return bad("the answer ended in its head")
		case n < 0:
			return answer{}
		}
		head, rest := data[:n+4], data[n+4:]
		response, err := http.ReadResponse(bufio.NewReaderSize(bytes.NewReader(head), 512), nil)
		if err != nil {
			return bad("the answer is no HTTP: %v", err)
		}
		if response.ProtoMajor != 1 {
			return bad("the answer is %s, not HTTP/1", response.Proto)
		}
		if status := response.StatusCode; status != http.StatusOK {
			interim := status >= 100 && status < 200 && status != http.StatusSwitchingProtocols // RFC 9110 section 15.2
			if data = rest; interim && all-len(data) < maxAnswerHead {
				continue
			}
			return bad("status %d", status)
		}
		return readBody(response, rest, end)
	}
}

// readBody judges the body that follows a head with status 200.
func readBody(response *http.Response, body []byte, end bool) answer {
	used, whole := len(body), false
	switch {
	case len(response.TransferEncoding) > 0:
		var ok bool
		if used, whole, ok = chunked(body); !ok {
			return bad("the body of the answer is not well chunked")
		}
	case response.ContentLength >= 0:
		whole = int64(len(body)) >= response.ContentLength
		used = int(min(response.ContentLength, int64(len(body))))
	case end:
		return answer{whole: true}
	}
	switch {
	case whole:
		return answer{whole: true, keep: !end && !response.Close && used == len(body)}
	case len(body) > maxAnswerBody:
		return answer{whole: true}
	case end:
		return bad("the answer ended in its body")
	}
	return answer{}
}

// chunked walks over a chunked body (RFC 9112 section 7.1): how long it is, and whether it has ended.
func chunked(body []byte) (used int, whole, ok bool) {
	for {
		line, size := lineAt(body, used)
		if line == nil {
			return used, false, len(body)-used < 256
		}
		digits, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimRight(digits, " \t")), 16, 31)
		if err != nil {
			return used, false, false
		}
		used += size
		if n == 0 {
			return trailers(body, used)
		}
		if uint64(len(body)-used) < n+2 {
			return used, false, true
		}
		used += int(n)
		if !bytes.HasPrefix(body[used:], []byte("\r\n")) {
			return used, false, false
		}
		used += 2
	}
}

// trailers walks over what follows the last chunk.
func trailers(body []byte, at int) (used int, whole, ok bool) {
	for {
		line, size := lineAt(body, at)
		if line == nil {
			return at, false, true
		}
		if at += size; len(line) == 0 {
			return at, true, true
		}
	}
}

// lineAt is the line at an offset, and its length with the end; nil if it has not ended.
func lineAt(body []byte, at int) (line []byte, size int) {
	n := bytes.Index(body[at:], []byte("\r\n"))
	if n < 0 {
		return nil, 0
	}
	return body[at : at+n : at+n], n + 2
}
