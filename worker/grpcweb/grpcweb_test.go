package grpcweb

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"pingap/message"
)

func fields(pairs ...string) *message.Fields {
	var f message.Fields
	for i := 0; i < len(pairs); i += 2 {
		f.Add(pairs[i], []byte(pairs[i+1]))
	}
	return &f
}

func text(f *message.Fields) string {
	var b strings.Builder
	for _, h := range f.List() {
		b.WriteString(string(h.Name) + ": " + string(h.Value) + "\n")
	}
	return b.String()
}

func TestCallsAreTranslatedByTheirContentType(t *testing.T) {
	for _, c := range []struct{ contentType, accept, upstream, answer string }{
		{"application/grpc-web", "", "application/grpc", "application/grpc-web"},
		{"application/grpc-web+proto", "*/*", "application/grpc+proto", "application/grpc-web+proto"},
		{"application/grpc-web+json", "", "application/grpc+json", "application/grpc-web+json"},
		{"application/grpc-web+thrift; a=b", "", "application/grpc+thrift", "application/grpc-web+thrift"},
		{"Application/GRPC-Web-Text ; a=b", "", "application/grpc", "application/grpc-web-text"},
		{"application/grpc-web-text+proto", "text/html, */*", "application/grpc+proto", "application/grpc-web-text+proto"},
		{"application/grpc-web-text-base64", "", "application/grpc", "application/grpc-web-text"},
		{"application/grpc-web", "text/html, application/grpc-web-text;q=1", "application/grpc", "application/grpc-web-text"},
		{"application/grpc-web-text", "application/grpc-web+proto", "application/grpc", "application/grpc-web"},
	} {
		head := fields("Content-Type", c.contentType, "X-Grpc-Web", "1", "Content-Length", "8")
		if c.accept != "" {
			head.Add("Accept", []byte(c.accept))
		}
		call, ok := Match(head)
		if !ok || call.TextRequest() != strings.Contains(strings.ToLower(c.contentType), "-text") || call.TextResponse() != strings.Contains(c.answer, "-text") {
			t.Errorf("%s, %s: %t, %+v", c.contentType, c.accept, ok, call)
		}
		call.RewriteRequest(head)
		if got := string(head.Get(message.ContentType)); got != c.upstream || string(head.Get(message.TE)) != "trailers" ||
			head.Has(message.ContentLength) == call.TextRequest() {
			t.Errorf("%s goes on as\n%s", c.contentType, text(head))
		}
		answer := fields("content-type", c.upstream, "content-length", "3", "trailer", "grpc-status", "grpc-encoding", "gzip")
		if !call.RewriteResponse(answer) || text(answer) != "content-type: "+c.answer+"\ngrpc-encoding: gzip\n" {
			t.Errorf("%s is answered with\n%s", c.contentType, text(answer))
		}
	}
}

func TestWhatIsNotGRPCIsLeftAlone(t *testing.T) {
	for _, value := range []string{"", "application/grpc", "application/grpc+proto", "application/grpc-webx", "application/grpc-web-texts", "application/json"} {
		if _, ok := Match(fields("content-type", value, "accept", "application/grpc-web")); ok {
			t.Errorf("%q is a call", value)
		}
	}
	if _, ok := Match(fields()); ok {
		t.Error("nothing is a call")
	}
	for _, value := range []string{"text/html", "application/grpcx", "application/grpc-web", ""} {
		head := fields("content-type", value, "content-length", "3")
		if before := text(head); (Call{}).RewriteResponse(head) || text(head) != before {
			t.Errorf("an answer of %q became\n%s", value, text(head))
		}
	}
}

// decode gives a body to a Decoder in pieces.
func decode(body string, size int) (string, error) {
	var d Decoder
	var out []byte
	for len(body) > 0 {
		n := min(size, len(body))
		var err error
		if out, err = d.Decode(out, []byte(body[:n])); err != nil {
			return string(out), err
		}
		body = body[n:]
	}
	return string(out), d.Close()
}

func TestBase64IsDecodedHoweverItIsCut(t *testing.T) {
	for body, want := range map[string]string{
		"": "", "QUJD": "ABC", "QUI=": "AB", "QQ==": "A", "QQ==QUI=QUJDQQ==": "AABABCA", "+/+/": "\xfb\xff\xbf", "AAAAAAA=": "\x00\x00\x00\x00\x00",
	} {
		for size := 1; size <= len(body)+1; size++ {
			if got, err := decode(body, size); got != want || err != nil {
				t.Errorf("%q in pieces of %d is %q, %v", body, size, got, err)
			}
		}
	}
}

func TestWhatIsNotBase64IsRefused(t *testing.T) {
	for _, body := range []string{"Q", "QU", "QUI", "=", "Q=", "Q===", "QQ=", "QQ=A", "QQ==A", "====", "QR==", "QUJ=", "QU-_", "QUI=\n", "QU JD", "\x00\x00\x00\x00", "QUJD\xff"} {
		for size := 1; size <= len(body); size++ {
			if got, err := decode(body, size); !errors.Is(err, ErrText) {
				t.Errorf("%q in pieces of %d is %q, %v", body, size, got, err)
			}
		}
	}
}

func TestAnswersEndWithTheirTrailers(t *testing.T) {
	trailers := fields("Grpc-Status", "0", "grpc-message", "", "X-Bin-bin", "AAE", "x", "a: b", "bad", "a\r\ngrpc-status: 1", "bad name", "a")
	want := "\x80\x00\x00\x00\x3bgrpc-status: 0\r\ngrpc-message: \r\nx-bin-bin: AAE\r\nx: a: b\r\n"
	want = strings.Replace(want, "\x3b", string(rune(len(want)-5)), 1)
	var e Encoder
	e.Init(Call{})
	if got := string(e.Trailers(e.Flush(e.Data([]byte(">"), []byte("abcde"))), trailers)); got != ">abcde"+want {
		t.Errorf("binary: %q", got)
	}
	e.Init(Call{textResponse: true})
	got := string(e.Trailers(e.Data([]byte(">"), []byte("abcde")), trailers))
	if got != ">YWJjZGU="+base64.StdEncoding.EncodeToString([]byte(want)) {
		t.Errorf("text: %q", got)
	}
	if got := string(e.Trailers(nil, fields())); got != "gAAAAAA=" {
		t.Errorf("no trailers: %q", got)
	}
}

func TestEverythingIsThereAfterAFlush(t *testing.T) {
	body := "\x00\x00\x00\x00\x05hello\x00\x00\x00\x00\x03abc"
	for size := 1; size <= len(body); size++ {
		var e Encoder
		e.Init(Call{textResponse: true})
		var flushed, held []byte
		for at := 0; at < len(body); at += size {
			piece := []byte(body[at:min(at+size, len(body))])
			flushed = e.Flush(e.Data(flushed, piece))
			if got, err := decode(string(flushed), 7); got != body[:at+len(piece)] || err != nil {
				t.Fatalf("pieces of %d: after %d bytes the client has %q, %v", size, at+len(piece), got, err)
			}
		}
		for at := 0; at < len(body); at += size {
			held = e.Data(held, []byte(body[at:min(at+size, len(body))]))
		}
		if held = e.Flush(held); string(held) != base64.StdEncoding.EncodeToString([]byte(body)) {
			t.Errorf("pieces of %d, flushed once: %q", size, held)
		}
	}
}

func TestBodiesCostNoMemory(t *testing.T) {
	data := bytes.Repeat([]byte("x"), 1000)
	trailers := fields("grpc-status", "0")
	var out, back []byte
	round := func() {
		var e Encoder
		var d Decoder
		e.Init(Call{textResponse: true})
		out = e.Trailers(e.Data(e.Data(out[:0], data), data), trailers)
		var err error
		if back, err = d.Decode(back[:0], out); err != nil {
			t.Fatal(err)
		}
	}
	round()
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDecode(f *testing.F) {
	for _, body := range []string{"QQ==QUI=QUJDQQ==", "AAAAAAA=", "QR==", "QUI=\n", "gAAAAAA="} {
		f.Add(body, uint16(1), uint16(5))
	}
	f.Fuzz(func(t *testing.T, body string, one, two uint16) {
		whole, err := decode(body, len(body)+1)
		if split, splitErr := decode(body, int(one)+1); split != whole || !errors.Is(splitErr, err) {
			t.Fatalf("%q is %q, %v, in pieces %q, %v", body, whole, err, split, splitErr)
		}
		if want, ok := oracle(body); ok != (err == nil) || ok && want != whole {
			t.Fatalf("%q is %q, %v, and should be %q, %t", body, whole, err, want, ok)
		}
		var e Encoder
		e.Init(Call{textResponse: true})
		var out []byte
		for i, rest := 0, body; len(rest) > 0; i++ {
			n := min(int(two)%7+1, len(rest))
			out = e.Data(out, []byte(rest[:n]))
			if i%3 == int(one)%3 {
				out = e.Flush(out)
			}
			rest = rest[n:]
		}
		if back, err := decode(string(e.Flush(out)), 9); back != body || err != nil {
			t.Fatalf("%q is encoded as %q, which is %q, %v", body, out, back, err)
		}
	})
}

// oracle decodes group by group with the standard library, which would pass over line ends.
func oracle(body string) (string, bool) {
	var out []byte
	if len(body)%4 != 0 || strings.ContainsAny(body, "\r\n") {
		return "", false
	}
	for ; len(body) > 0; body = body[4:] {
		group, err := base64.StdEncoding.Strict().DecodeString(body[:4])
		if err != nil {
			return "", false
		}
		out = append(out, group...)
	}
	return string(out), true
}
