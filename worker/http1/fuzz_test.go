package http1

import (
	"bytes"
	"testing"

	"pingap/message"
)

// sameFields reports whether two lists have the same names, in any case, and values.
func sameFields(a, b *message.Fields) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i, f := range a.List() {
		if g := b.List()[i]; !message.EqualFold(g.Name, string(f.Name)) || !bytes.Equal(f.Value, g.Value) || f.ID != g.ID {
			return false
		}
	}
	return true
}

// strip removes what a hop writes itself, so that the rest can be compared.
func strip(f *message.Fields) {
	for id := message.Name(1); id < 64; id++ {
		if in(hop|framed, id) {
			f.DelID(id)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, row := range table(f, "good_requests.txt", 3) {
		f.Add([]byte(row[1]), 20)
	}
	for _, row := range table(f, "bad_requests.txt", 4) {
		f.Add([]byte(row[3]), 20)
	}
	f.Fuzz(func(t *testing.T, raw []byte, at int) {
		at = min(max(at, 0), len(raw))
		var whole, part, again message.Request
		n, frame, err := ParseRequest(raw, &whole, &testLimits)
		early, _, earlyErr := ParseRequest(raw[:at], &part, &testLimits)
		if early > 0 && early != n || earlyErr != nil && err == nil || n > len(raw) || n > 0 && err != nil {
			t.Fatalf("%q is %d, %v; its first %d bytes %d, %v", raw, n, err, at, early, earlyErr)
		}
		if n == 0 {
			return
		}
		out := []byte(forwarded(&whole, frame))
		m, frame2, err := ParseRequest(out, &again, &testLimits)
		if err != nil && len(out) < testLimits.Head || err == nil && m != len(out) {
			t.Fatalf("%q goes on as %q, which is %d, %v", raw, out, m, err)
		}
		if err != nil { // what was added made it too large
			return
		}
		if len(whole.Host) == 0 { // HTTP/1.0 without Host
			whole.Host = []byte("BACKEND")
		}
		strip(&whole.Fields)
		strip(&again.Fields)
		if frame.Length != frame2.Length || frame.Chunked != frame2.Chunked || !bytes.Equal(whole.Target, again.Target) ||
			!bytes.Equal(whole.Method, again.Method) || !bytes.Equal(whole.Host, again.Host) || !sameFields(&whole.Fields, &again.Fields) {
			t.Fatalf("%q goes on as %q", raw, out)
		}
	})
}

func FuzzParseResponse(f *testing.F) {
	for _, row := range append(table(f, "good_responses.txt", 3), table(f, "bad_responses.txt", 3)...) {
		for _, raw := range row[1:] {
			f.Add([]byte(raw), 20, false)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, at int, head bool) {
		at = min(max(at, 0), len(raw))
		var whole, part, again message.Response
		n, frame, err := ParseResponse(raw, &whole, &testLimits, Ask{Head: head})
		early, _, earlyErr := ParseResponse(raw[:at], &part, &testLimits, Ask{Head: head})
		if early > 0 && early != n || earlyErr != nil && err == nil || n > len(raw) || n > 0 && err != nil {
			t.Fatalf("%q is %d, %v; its first %d bytes %d, %v", raw, n, err, at, early, earlyErr)
		}
		if n == 0 || whole.Status < 200 {
			return
		}
		out := AppendResponse(nil, &whole, Out{Length: frame.Length, Chunked: frame.Chunked})
		m, frame2, err := ParseResponse(out, &again, &testLimits, Ask{Head: head})
		if err != nil && len(out) < testLimits.Head || err == nil && m != len(out) {
			t.Fatalf("%q goes on as %q, which is %d, %v", raw, out, m, err)
		}
		strip(&whole.Fields)
		strip(&again.Fields)
		if err == nil && (frame.Length != frame2.Length || frame.Chunked != frame2.Chunked || frame.UntilClose != frame2.UntilClose ||
			whole.Status != again.Status || !bytes.Equal(whole.Reason, again.Reason) || !sameFields(&whole.Fields, &again.Fields)) {
			t.Fatalf("%q goes on as %q", raw, out)
		}
	})
}

// What is passed verbatim must be to any reader what Next takes it for.
func FuzzChunked(f *testing.F) {
	for _, tc := range goodChunks() {
		f.Add(tc.body+tc.behind, 7)
	}
	for _, row := range table(f, "bad_chunks.txt", 3) {
		f.Add(row[2], 7)
	}
	f.Fuzz(func(t *testing.T, body string, at int) {
		at = min(max(at, 0), len(body))
		next, split, pass := byNext(body), byNext(body[:at], body[at:]), byPass(body[:at], body[at:])
		if next.err != split.err || next.err != pass.err || next.done != split.done || next.done != pass.done || next.data != split.data {
			t.Fatalf("%q, split at %d: %+v, %+v, by pass %+v", body, at, next, split, pass)
		}
		if !next.done || next.err != nil {
			return
		}
		sent := pass.passed + pass.trailer
		if next.used != pass.used || sent != body[:pass.used] {
			t.Fatalf("%q passes as %q", body, sent)
		}
		if again := byNext(sent); !again.done || again.err != nil || again.data != next.data {
			t.Fatalf("%q passes as %q, which is %+v", body, sent, again)
		}
	})
}

func FuzzValidHost(f *testing.F) {
	for _, host := range []string{"h", "h:80", "[::1]", "[::1]:80", "127.0.0.1", "a,b", "u@h", "h:", ":", "[", "[]", "[::1%25eth0]"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if !ValidHost([]byte(host)) {
			return
		}
		if len(message.HostOnly([]byte(host))) == 0 || bytes.ContainsAny([]byte(host), "/\\?#@, \t\r\n\x00%\"<>") {
			t.Fatalf("%q is accepted", host)
		}
		if _, _, _, err := parseRequest("GET http://" + host + "/a HTTP/1.1\r\nHost: " + host + "\r\n\r\n"); err != nil {
			t.Fatalf("%q: %v", host, err)
		}
	})
}
