package jwt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pingap/plugins"
	"pingap/plugins/plugintest"
)

const tableMint = byHeader + "secret = \"s\"\nauth_path = \"/login\"\n"

// through passes a response through an instance, in pieces of some bytes.
func through(t *testing.T, x *plugins.Instance, request, response, body string, size int) (*plugins.Exchange, string, error) {
	t.Helper()
	e := plugintest.New(t, request)
	if d := x.Decider.Decide(e); d.Answer != nil {
		t.Fatalf("refused: %s", d.Answer.Body)
	}
	plugintest.SetResponse(t, e, response)
	x.Responder.Response(e)
	f := x.BodyFilterer.BodyFilter(e)
	if f == nil {
		return e, body, nil
	}
	var sent []byte
	for {
		piece := body[:min(size, len(body))]
		body = body[len(piece):]
		var err error
		if sent, err = f.Filter(sent, []byte(piece), body == ""); err != nil || body == "" {
			return e, string(sent), err
		}
	}
}

func TestResponsesOnAuthPathBecomeTokens(t *testing.T) {
	const payload = `{"sub": "alice", "n": 1}`
	for _, algorithm := range []string{"", "HS256", "HS384", "HS512"} {
		for _, size := range []int{1, 7, 1000} {
			x := plugintest.Build(t, Factory(), tableMint+`algorithm = "`+algorithm+`"`)
			e, body, err := through(t, x, "POST //login?a", "201 Created\nContent-Type: text/plain\nETag: \"a\"\nX-A: b\nCache-Control: public", payload, size)
			if err != nil {
				t.Fatal(err)
			}
			const fields = "Content-Type: application/json; charset=utf-8\nX-A: b\nCache-Control: private, no-store\n"
			if got := plugintest.FieldText(e.Response.Fields.List()); got != fields {
				t.Errorf("fields\n%s", got)
			}
			var answer struct{ Token string }
			if err := json.Unmarshal([]byte(body), &answer); err != nil || !strings.HasPrefix(body, `{"token": "`) {
				t.Fatalf("%s: %v", body, err)
			}
			parts := strings.Split(answer.Token, ".")
			head, _ := base64.RawURLEncoding.DecodeString(parts[0])
			signed, _ := base64.RawURLEncoding.DecodeString(parts[1])
			name := algorithm
			if name == "" {
				name = "HS256"
			}
			if string(head) != `{"alg": "`+name+`","typ": "JWT"}` || string(signed) != payload {
				t.Errorf("head %s, payload %s", head, signed)
			}
			if got := decide(t, x, answer.Token); got != "" {
				t.Errorf("%s: our own token %s", name, got)
			}
		}
	}
}

func TestTheSignatureIsThatOfRFC7515(t *testing.T) {
	token := minted(t, "HS256", "x")
	signed, signature, _ := strings.Cut(token, ".eA.")
	mac := hmac.New(sha256.New, []byte("s"))
	mac.Write([]byte(signed + ".eA"))
	if want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); signature != want {
		t.Errorf("got %s, want %s", signature, want)
	}
}

func TestOtherResponsesAreLeftAlone(t *testing.T) {
	x := plugintest.Build(t, Factory(), tableMint)
	token := minted(t, "HS256", "{}")
	for _, c := range []struct{ request, response string }{
		{"POST /login", "401 Unauthorized"}, {"POST /login", "302 Found"}, {"POST /login", "206 Partial Content"}, {"POST /login", "204 No Content"},
		{"POST /login", "200 OK\nContent-Length: 0"}, {"POST /login/x\nAuthorization: " + token, "200 OK"}, {"GET /\nAuthorization: " + token, "200 OK"},
	} {
		e, body, err := through(t, x, c.request, c.response+"\nContent-Type: text/plain\nETag: \"a\"", "body", 10)
		if err != nil || body != "body" || !strings.Contains(plugintest.FieldText(e.Response.Fields.List()), "Content-Type: text/plain\nETag: \"a\"\n") {
			t.Errorf("%q, %q: %q, %v", c.request, c.response, body, err)
		}
	}
	if none := plugintest.Build(t, Factory(), byHeader+"secret = \"s\""); none.Responder != nil || none.BodyFilterer != nil {
		t.Error("without auth_path it acts on responses")
	}
}

func TestWhatCannotBeSignedIsCutOff(t *testing.T) {
	x := plugintest.Build(t, Factory(), tableMint+`max_body = 10`)
	for _, size := range []int{3, 100} {
		if _, sent, err := through(t, x, "POST /login", "200 OK", "12345678901", size); !errors.Is(err, errLong) || sent != "" {
			t.Errorf("pieces of %d: %q, %v", size, sent, err)
		}
	}
	if _, sent, err := through(t, x, "POST /login", "200 OK", "1234567890", 3); err != nil || !strings.HasPrefix(sent, "{") {
		t.Errorf("as long as allowed: %q, %v", sent, err)
	}
	if _, sent, err := through(t, x, "POST /login", "200 OK\nContent-Encoding: gzip", "123", 3); !errors.Is(err, errEncoded) || sent != "" {
		t.Errorf("compressed: %q, %v", sent, err)
	}
	e, sent, err := through(t, x, "HEAD /login", "200 OK\nContent-Length: 5000", "", 3)
	if err != nil || sent != "" || plugintest.FieldText(e.Response.Fields.List()[:1]) != "Content-Length: 5000\n" {
		t.Errorf("HEAD: %q, %v", sent, err)
	}
}
