package dns01

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The three signing providers share a shape: a canonical text of the request is hashed, put into a text to sign with the
// algorithm and the time, and signed by HMAC-SHA256.

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// canonical is the text of a request: method, path, query, signed headers, their names, and the hash of the body.
func canonical(method, path, query string, header http.Header, names []string, bodyHash string) string {
	var b strings.Builder
	b.WriteString(method + "\n" + path + "\n" + query + "\n")
	for _, n := range names {
		b.WriteString(n + ":" + strings.TrimSpace(header.Get(n)) + "\n")
	}
	b.WriteString("\n" + strings.Join(names, ";") + "\n" + bodyHash)
	return b.String()
}

// canonicalQuery is sorted, and escaped as RFC 3986 has it: a space is %20.
func canonicalQuery(q url.Values) string {
	return strings.ReplaceAll(q.Encode(), "+", "%20")
}

// signACS3 signs for Alibaba Cloud (signature version 3). All headers of h are signed, and host is one of them.
func signACS3(id, secret, method, path string, q url.Values, h http.Header, body []byte) {
	var names []string
	for n := range h {
		names = append(names, strings.ToLower(n))
	}
	slices.Sort(names)
	text := canonical(method, path, canonicalQuery(q), h, names, hexSum(body))
	signature := hex.EncodeToString(mac([]byte(secret), "ACS3-HMAC-SHA256\n"+hexSum([]byte(text))))
	h.Set("Authorization", "ACS3-HMAC-SHA256 Credential="+id+",SignedHeaders="+strings.Join(names, ";")+",Signature="+signature)
}

// signTC3 signs for Tencent Cloud: the key is derived from the date and the service.
func signTC3(id, secret, service, action string, at time.Time, h http.Header, body []byte) {
	names := []string{"content-type", "host", "x-tc-action"}
	low := h.Clone()
	low.Set("X-TC-Action", strings.ToLower(action))
	text := canonical(http.MethodPost, "/", "", low, names, hexSum(body))
	date := at.UTC().Format(time.DateOnly)
	scope := date + "/" + service + "/tc3_request"
	toSign := "TC3-HMAC-SHA256\n" + h.Get("X-TC-Timestamp") + "\n" + scope + "\n" + hexSum([]byte(text))
	key := mac(mac(mac([]byte("TC3"+secret), date), service), "tc3_request")
	h.Set("Authorization", "TC3-HMAC-SHA256 Credential="+id+"/"+scope+", SignedHeaders="+strings.Join(names, ";")+
		", Signature="+hex.EncodeToString(mac(key, toSign)))
}

// huaweiTime is the form of X-Sdk-Date.
const huaweiTime = "20060102T150405Z"

// signSDK signs for Huawei Cloud. The path ends in a slash in the text, whatever it does in the request.
func signSDK(id, secret, method, path string, q url.Values, h http.Header, body []byte) {
	names := []string{"content-type", "host", "x-sdk-date"}
	text := canonical(method, strings.TrimSuffix(path, "/")+"/", canonicalQuery(q), h, names, hexSum(body))
	signature := hex.EncodeToString(mac([]byte(secret), "SDK-HMAC-SHA256\n"+h.Get("X-Sdk-Date")+"\n"+hexSum([]byte(text))))
	h.Set("Authorization", "SDK-HMAC-SHA256 Access="+id+", SignedHeaders="+strings.Join(names, ";")+", Signature="+signature)
}

// nonce makes a request unique.
func nonce() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
