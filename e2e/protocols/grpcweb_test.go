package protocols

import (
	"bytes"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// newGRPCBackend answers each call with the message that came, in HTTP/2 without TLS. A call that is not gRPC, or does not say that it takes
// trailers, gets another status; /fail gets an error without a message.
func newGRPCBackend(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var only http.Protocols
	only.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: &only, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") || strings.Contains(r.Header.Get("Content-Type"), "web") ||
			r.Header.Get("Te") != "trailers" || r.ProtoMajor != 2 {
			http.Error(w, r.Proto+" "+r.Header.Get("Content-Type")+", TE: "+r.Header.Get("Te"), http.StatusTeapot)
			return
		}
		w.Header().Set("Content-Type", "application/grpc+proto")
		if r.URL.Path == "/fail" {
			w.Header().Set("Grpc-Status", "5")
			w.Header().Set("Grpc-Message", "no such thing")
			return
		}
		w.Header().Set("Trailer", "Grpc-Status, X-Sum")
		_, _ = io.Copy(w, r.Body) // a caller that is gone needs no answer
		w.Header().Set("Grpc-Status", "0")
		w.Header().Set("X-Sum", "42")
	})}
	ended := make(chan struct{})
	go func() { // ends with the server
		_ = server.Serve(l) // its end is asked for
		close(ended)
	}()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
	return l.Addr().String()
}

// message is one of gRPC: not compressed, its length, its bytes.
func message(text string) []byte {
	return append([]byte{0, 0, byte(len(text) >> 16), byte(len(text) >> 8), byte(len(text))}, text...)
}

// TestGRPCWebIsTranslated calls a backend that speaks nothing but gRPC; the conformance suite's server would take gRPC-web too, and its client
// does not speak the text form.
func TestGRPCWebIsTranslated(t *testing.T) {
	refuses(t, nginx, haproxy)
	f := newFront(t, wish{Upstream: newGRPCBackend(t), H2Upstream: true, GRPCWeb: true})
	call := func(t *testing.T, path, kind string, body []byte) (*http.Response, []byte) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+f.Plain+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Accept", kind)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, text
	}
	large := message(strings.Repeat("large ", 50_000))
	for name, body := range map[string][]byte{"Small": message("hello"), "Empty": message(""), "Large": large} {
		t.Run("Binary"+name, func(t *testing.T) {
			resp, text := call(t, "/say", "application/grpc-web+proto", body)
			checkWebAnswer(t, resp, "application/grpc-web+proto", text, body)
		})
		t.Run("Text"+name, func(t *testing.T) {
			encoded := base64.StdEncoding.EncodeToString(body)
			resp, text := call(t, "/say", "application/grpc-web-text+proto", []byte(encoded))
			checkWebAnswer(t, resp, "application/grpc-web-text+proto", decodeParts(t, text), body)
		})
	}
	t.Run("Error", func(t *testing.T) {
		resp, text := call(t, "/fail", "application/grpc-web+proto", message("x"))
		all := strings.ToLower(string(text)) + "grpc-status:" + resp.Header.Get("Grpc-Status")
		if resp.StatusCode != http.StatusOK || !strings.Contains(strings.ReplaceAll(all, " ", ""), "grpc-status:5") {
			t.Errorf("%d %v %q", resp.StatusCode, resp.Header, text)
		}
	})
}

// checkWebAnswer wants the message, and behind it a frame with the trailers (flag 0x80).
func checkWebAnswer(t *testing.T, resp *http.Response, kind string, text, want []byte) {
	t.Helper()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != kind {
		t.Fatalf("%d %v: %.300q", resp.StatusCode, resp.Header, text)
	}
	rest, found := bytes.CutPrefix(text, want)
	if !found || len(rest) < 5 || rest[0] != 0x80 {
		t.Fatalf("%d bytes that are not the %d of the message and trailers: %.100q", len(text), len(want), rest)
	}
	size := int(rest[1])<<24 | int(rest[2])<<16 | int(rest[3])<<8 | int(rest[4])
	if size != len(rest)-5 {
		t.Errorf("a trailer frame of %d bytes in %d", size, len(rest)-5)
	}
	fields := strings.ReplaceAll(strings.ToLower(string(rest[5:])), ": ", ":")
	for _, field := range []string{"grpc-status:0\r\n", "x-sum:42\r\n"} {
		if !strings.Contains(fields, field) {
			t.Errorf("no %q in %q", field, fields)
		}
	}
}

// decodeParts decodes base64 that may have been padded wherever it was flushed.
func decodeParts(t *testing.T, text []byte) []byte {
	t.Helper()
	var all []byte
	for len(text) >= 4 {
		part, err := base64.StdEncoding.DecodeString(string(text[:4]))
		if err != nil {
			t.Fatalf("%q: %v", text[:4], err)
		}
		all, text = append(all, part...), text[4:]
	}
	if len(text) > 0 {
		t.Errorf("%q is left of the base64", text)
	}
	return all
}

// A call that the proxy itself must refuse gets an answer that gRPC clients understand: 200 with a status in the head.
func TestErrorsOfTheProxyAreGRPCStatus(t *testing.T) {
	refuses(t, nginx, haproxy)
	dead, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	f := newFront(t, wish{Upstream: dead, H2Upstream: true})
	got := curl(t, "--http2-prior-knowledge", "-D", "-", "-H", "Content-Type: application/grpc", "-H", "TE: trailers", "--data-binary", "x", "http://"+f.Plain+"/say")
	text := strings.ToLower(got.text)
	if !strings.HasSuffix(got.text, "200 2") || !strings.Contains(text, "grpc-status: 14") || !strings.Contains(text, "content-type: application/grpc") {
		t.Errorf("want 200 and grpc-status 14 (unavailable):\n%s", got.text)
	}
}
