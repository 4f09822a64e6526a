package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// from says which address a client has, to a server that believes it.
func from(addr string) string { return "X-Forwarded-For: " + addr }

func exampleBasicAuth(r *readme) {
	r.answers(question{}, 401).field("WWW-Authenticate", "^Basic realm=").text("is missing")
	r.answers(question{fields: []string{"Authorization: Basic bm86bm8="}}, 401).text("Invalid user or password")
	r.passes(question{fields: []string{"Authorization: Basic YWxpY2U6d29uZGVybGFuZA=="}}).got("Authorization", "")
}

func exampleCombinedAuth(r *readme) {
	signed := func(age time.Duration) string {
		ts := strconv.FormatInt(time.Now().Add(-age).Unix(), 10)
		sum := sha256.Sum256([]byte("n7Uz8bQxkD:" + ts))
		return fmt.Sprintf("/a?app_id=shop&ts=%s&digest=%s", ts, hex.EncodeToString(sum[:]))
	}
	inside := []string{from("192.0.2.9")}
	r.answers(question{path: "/a"}, 401).text("app id is empty").field("Cache-Control", "^private, no-store$")
	r.answers(question{path: "/a?app_id=nobody"}, 401).text("app id is invalid")
	r.answers(question{path: signed(0), fields: []string{from("203.0.113.1")}}, 401).text("ip is invalid")
	r.answers(question{path: signed(time.Hour), fields: inside}, 401).text("deviation is invalid")
	r.answers(question{path: signed(0) + "0", fields: inside}, 401).text("digest is invalid")
	r.passes(question{path: signed(0), fields: inside})
	r.passes(question{path: "/a?app_id=status"})
}

func exampleCORS(r *readme) {
	origin := "Origin: https://www.example.com"
	preflight := r.answers(question{method: "OPTIONS", fields: []string{origin, "Access-Control-Request-Method: POST"}}, 204)
	for name, pattern := range map[string]string{"Origin": `^https://www\.example\.com$`, "Methods": "^GET, POST$", "Headers": "^Content-Type, X-Token$",
		"Credentials": "^true$", "Max-Age": "^600$"} {
		name = map[bool]string{true: "Access-Control-", false: "Access-Control-Allow-"}[name == "Max-Age"] + name
		preflight.field(name, pattern)
	}
	r.passes(question{fields: []string{origin, tellField + ": Access-Control-Allow-Origin: *"}}).
		field("Access-Control-Allow-Origin", `^https://www\.example\.com$`).field("Access-Control-Expose-Headers", "^X-Total$")
	r.passes(question{}).field("Access-Control-Allow-Origin", "")
}

func exampleCSRF(r *readme) {
	given := r.answers(question{path: "/csrf-token"}, 204).field("Cache-Control", "^private, no-store$").field("Set-Cookie", "; Path=/; Max-Age=3600")
	cookie, _, _ := strings.Cut(given.header.Get("Set-Cookie"), ";")
	_, token, _ := strings.Cut(cookie, "=")
	r.passes(question{})
	r.answers(question{method: "POST", body: "x=1"}, 401).text("Csrf token is empty or invalid")
	r.answers(question{method: "POST", body: "x=1", fields: []string{"Cookie: " + cookie, "X-Csrf-Token: " + token + "x"}}, 401)
	r.passes(question{method: "POST", body: "x=1", fields: []string{"Cookie: " + cookie, "X-Csrf-Token: " + token}}).text("^x=1$")
}

// The checked-in database says that 2.1.0.0/16 is in DE and 8.8.0.0/16 in US.
func prepareGeoRestriction(r *readme, example string) string {
	path := fileFrom(r, filepath.Join("..", "plugins", "geo_restriction", "testdata", "country.mmdb"))
	return replaced(r, example, "/usr/share/GeoIP/GeoLite2-Country.mmdb", path)
}

func exampleGeoRestriction(r *readme) {
	r.passes(question{fields: []string{from("2.1.7.7")}})
	r.answers(question{fields: []string{from("8.8.8.8")}}, 403).text("^This film is not licensed for your country$")
	r.answers(question{fields: []string{from("10.0.0.1")}}, 403)
}

func exampleIPRestriction(r *readme) {
	r.passes(question{})
	r.passes(question{fields: []string{from("192.0.2.77")}})
	r.passes(question{fields: []string{from("2001:db8:1::7")}})
	r.answers(question{fields: []string{from("203.0.113.7")}}, 403).text("^Request is forbidden$")
}

func exampleKeyAuth(r *readme) {
	r.answers(question{}, 401).text("^Key missing$")
	r.answers(question{fields: []string{"X-Api-Key: koxqaw"}}, 401).text("^Key auth fail$")
	r.passes(question{fields: []string{"X-Api-Key: GKvXY2"}}).got("X-Api-Key", "")
}

func exampleRefererRestriction(r *readme) {
	cat := question{path: "/pictures/cat.png"}
	r.answers(cat, http.StatusForbidden).text("^These pictures are for our own pages$")
	for referer, allowed := range map[string]bool{"https://example.com/": true, "https://www.EXAMPLE.com:8443/a?b": true, "https://example.com.evil.test/": false, "nonsense": false} {
		if cat.fields = []string{"Referer: " + referer}; allowed {
			r.passes(cat)
		} else {
			r.answers(cat, http.StatusForbidden)
		}
	}
}

func exampleUARestriction(r *readme) {
	for agent, allowed := range map[string]bool{"Mozilla/5.0": true, "NiceBot/1.0": false, "curl/8.7.1": false, "not curl/8.7.1": true, "robotics": true} {
		q := question{fields: []string{"User-Agent: " + agent}}
		if allowed {
			r.passes(q)
		} else {
			r.answers(q, http.StatusForbidden).text("^No robots, please$")
		}
	}
	r.passes(question{})
}
