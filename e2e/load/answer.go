package load

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	maxLine = 8 << 10 // of a head
	maxBody = 1 << 20 // an answer to us is short
)

// answer is a response of which the head was read.
type answer struct {
	status  int
	length  int64 // -1: chunked, or to the end of the connection
	chunked bool
	close   bool
	fields  map[string]string // names in lower case
}

// readHead reads the head of a response (RFC 9112, 4); interim ones are passed over.
func readHead(in *bufio.Reader) (*answer, error) {
	if _, err := in.Peek(1); err != nil {
		return nil, fail(Reset, err)
	}
	for {
		a, err := readOneHead(in)
		if err != nil {
			return nil, fail(Cut, fmt.Errorf("head of the answer: %w", err))
		}
		if a.status >= 200 || a.status == 101 {
			return a, nil
		}
	}
}

func readOneHead(in *bufio.Reader) (*answer, error) {
	line, err := readLine(in)
	if err != nil {
		return nil, err
	}
	a := &answer{length: -1, fields: map[string]string{}}
	if _, err := fmt.Sscanf(line, "HTTP/1.1 %d", &a.status); err != nil {
		return nil, fmt.Errorf("status line %q", line)
	}
	for {
		line, err := readLine(in)
		if err != nil {
			return nil, err
		}
		if line == "" {
			return a, a.frame()
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("field %q", line)
		}
		a.fields[strings.ToLower(name)] = strings.TrimSpace(value)
	}
}

// frame reads from the fields how long the body is (RFC 9112, 6.3).
func (a *answer) frame() error {
	a.close = strings.EqualFold(a.fields["connection"], "close")
	a.chunked = strings.EqualFold(a.fields["transfer-encoding"], "chunked")
	text, known := a.fields["content-length"]
	switch {
	case a.chunked:
		return nil
	case known:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 || n > maxBody {
			return fmt.Errorf("content-length %q", text)
		}
		a.length = n
	case a.status == 204 || a.status == 304 || a.status == 101:
		a.length = 0
	default:
		a.close = true
	}
	return nil
}

// body reads the body to its end.
func (a *answer) body(in *bufio.Reader) (string, error) {
	var text []byte
	var err error
	switch {
	case a.chunked:
		text, err = readChunks(in)
	case a.length >= 0:
		text = make([]byte, a.length)
		_, err = io.ReadFull(in, text)
	default:
		text, err = io.ReadAll(io.LimitReader(in, maxBody))
	}
	if err != nil {
		return string(text), fail(Cut, fmt.Errorf("body of the answer: %w", err))
	}
	return string(text), nil
}

func readChunks(in *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		piece, err := readChunk(in)
		if err != nil || piece == nil {
			return text, err
		}
		if text = append(text, piece...); len(text) > maxBody {
			return text, errors.New("more than was to be expected")
		}
	}
}

// readChunk reads one chunk (RFC 9112, 7.1); nil is the last one, whose trailer is read as well.
func readChunk(in *bufio.Reader) ([]byte, error) {
	line, err := readLine(in)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(line, 16, 20)
	if err != nil {
		return nil, fmt.Errorf("chunk size %q", line)
	}
	if n == 0 {
		for line != "" && err == nil {
			line, err = readLine(in)
		}
		return nil, err
	}
	piece := make([]byte, n+2)
	if _, err := io.ReadFull(in, piece); err != nil {
		return nil, err
	}
	if string(piece[n:]) != "\r\n" {
		return nil, fmt.Errorf("chunk ends in %q", piece[n:])
	}
	return piece[:n], nil
}

// readLine reads to CRLF, which is left out. An end within it is no clean one.
func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	switch {
	case errors.Is(err, io.EOF):
		return "", io.ErrUnexpectedEOF
	case err != nil:
		return "", err
	case len(line) > maxLine || !strings.HasSuffix(line, "\r\n"):
		return "", fmt.Errorf("line %.80q", line)
	}
	return line[:len(line)-2], nil
}
