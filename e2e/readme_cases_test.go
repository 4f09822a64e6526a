package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// readmeCases has an entry for each folder below plugins that has a README.
func readmeCases() map[string]readmeCase {
	return map[string]readmeCase{
		"accept_encoding":     {run: exampleAcceptEncoding},
		"admin":               {run: exampleAdmin, prepare: prepareAdmin},
		"basic_auth":          {run: exampleBasicAuth},
		"cache":               {run: exampleCache, prepare: prepareCache},
		"combined_auth":       {run: exampleCombinedAuth},
		"compression":         {run: exampleCompression},
		"cors":                {run: exampleCORS},
		"csrf":                {run: exampleCSRF},
		"directory":           {run: exampleDirectory, prepare: prepareDirectory},
		"forward_auth":        {run: exampleForwardAuth, prepare: prepareForwardAuth},
		"geo_restriction":     {run: exampleGeoRestriction, prepare: prepareGeoRestriction},
		"image_optim":         {run: exampleImageOptim},
		"ip_restriction":      {run: exampleIPRestriction},
		"jwt":                 {run: exampleJWT, prepare: prepareJWT},
		"key_auth":            {run: exampleKeyAuth},
		"limit":               {run: exampleLimit},
		"mock":                {run: exampleMock},
		"ping":                {run: examplePing},
		"redirect":            {run: exampleRedirect},
		"referer_restriction": {run: exampleRefererRestriction},
		"request_id":          {run: exampleRequestID},
		"response_headers":    {run: exampleResponseHeaders},
		"stats":               {run: exampleStats},
		"sub_filter":          {run: exampleSubFilter},
		"traffic_splitting":   {run: exampleTrafficSplitting, prepare: prepareTrafficSplitting},
		"ua_restriction":      {run: exampleUARestriction},
	}
}

// exampleToken is one whose sum takes the place of that of the example, which is nobody's.
const exampleToken = "a-token-of-twenty-letters"

func prepareAdmin(r *readme, example string) string {
	sum := sha256.Sum256([]byte(exampleToken))
	return replaced(r, example, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", hex.EncodeToString(sum[:]))
}

// exampleAdmin asks the panel, and the API with and without a token. There are no tunnels to control.
func exampleAdmin(r *readme) {
	r.passes(question{path: "/pingap-is-not-it"})
	shown := []string{"Authorization: Bearer " + exampleToken}
	if r.tunnels {
		r.answers(question{path: "/pingap/api/objects", fields: shown}, 404)
		return
	}
	r.eventuallyAnswers(question{path: "/pingap/api/objects", fields: shown}, 200).field("Content-Type", "^application/json").text(`"used_by":\["server:web"\]`)
	r.answers(question{path: "/pingap/api/objects"}, 401)
	r.answers(question{path: "/pingap/api/objects", fields: []string{"Authorization: Bearer another-of-twenty-letters"}}, 401)
	r.answers(question{path: "/pingap/"}, 200).field("Content-Type", "^text/html").field("Content-Security-Policy", "default-src").text("<title>")
}

func exampleMock(r *readme) {
	r.answers(question{path: "/any"}, 503).field("Retry-After", "^120$").field("Content-Type", "^application/json$").text("back in two minutes")
	r.answers(question{path: "/slow"}, 200)
}

func examplePing(r *readme) {
	r.answers(question{path: "/alive?x=1"}, 200).field("Cache-Control", "^private, no-cache$").text("^pong$")
	r.passes(question{path: "/alive/"})
}

func exampleRedirect(r *readme) {
	r.answers(question{path: "/a?b=c", fields: []string{"Host: www.example.com:8080"}}, 308).field("Location", `^https://www\.example\.com/a\?b=c$`)
}

func exampleRequestID(r *readme) {
	r.passes(question{}).got("X-Trace-Id", `^[\w-]{12}$`).field("X-Request-Id", `^[\w-]{12}$`)
	r.passes(question{fields: []string{"X-Trace-Id: mine"}}).got("X-Trace-Id", "^mine$")
}

func exampleResponseHeaders(r *readme) {
	r.passes(question{fields: []string{tellField + ": X-Powered-By: magic", tellField + ": Server: behind", tellField + ": X-Frame-Options: ALLOW"}}).
		field("X-Served-By", ".").field("X-Client", `^127\.0\.0\.1$`).field("X-Powered-By", "").field("X-Frame-Options", "^DENY$").
		field("Cache-Control", "^no-store$").field("X-Backend-Server", "^behind$")
	r.passes(question{fields: []string{tellField + ": Cache-Control: max-age=1"}}).field("Cache-Control", "^max-age=1$")
}

func exampleSubFilter(r *readme) {
	body := []string{tellBody + ": see http://internal.example/a, Version 7 and version 8"}
	r.passes(question{path: "/docs/a", fields: body}).text("^see https://www.example.com/a, release 7 and release 8$")
	r.passes(question{path: "/other", fields: body}).text("internal.example")
	r.passes(question{path: "/docs/a", fields: append(body, tellField+": Content-Encoding: br")}).text("internal.example")
}

func exampleAcceptEncoding(r *readme) {
	r.passes(question{fields: []string{"Accept-Encoding: gzip, deflate, br, zstd"}}).got("Accept-Encoding", "^br$")
	r.passes(question{fields: []string{"Accept-Encoding: gzip;q=0.5"}}).got("Accept-Encoding", "^gzip$")
	r.passes(question{fields: []string{"Accept-Encoding: deflate"}}).got("Accept-Encoding", "")
	r.passes(question{}).got("Accept-Encoding", "")
}

func prepareTrafficSplitting(r *readme, example string) string {
	return replaced(r, replaced(r, example, "127.0.0.1:5000", r.upstream.addr), "127.0.0.1:5001", r.other.addr)
}

func exampleTrafficSplitting(r *readme) {
	for cookie, other := range map[string]bool{"": false, "Cookie: account=beta-7": true, "Cookie: a=b; account=alpha-7": false} {
		var fields []string
		if cookie != "" {
			fields = append(fields, cookie)
		}
		if a := r.passes(question{fields: fields}); a.other != other {
			r.Errorf("%q: to the other upstream: %v", cookie, a.other)
		}
	}
}

// exampleLimit spends the burst of a key, which takes less time than it takes to come back.
func exampleLimit(r *readme) {
	mine, other := question{fields: []string{"X-Api-Key: mine"}}, question{fields: []string{"X-Api-Key: other"}}
	for range 20 {
		r.passes(mine).field("RateLimit", `^"api-rate";r=\d+;t=\d+$`).field("RateLimit-Policy", `^"api-rate";q=20;w=10$`)
	}
	var refused reply
	for range 20 { // on a slow machine some of the burst has come back by now
		if refused = r.reply(mine); refused.status == 429 {
			break
		}
	}
	if refused.status != 429 || refused.seen != nil {
		r.Fatalf("status %d after 40 requests, arrived: %v", refused.status, refused.seen != nil)
	}
	refused.field("Retry-After", "^1$").field("RateLimit", `^"api-rate";r=0;t=\d+$`).text("^Plugin limit, exceed limit 2[01][.0-9]*/20$")
	r.passes(other)
	r.passes(question{}).field("RateLimit", "")
}

func exampleStats(r *readme) {
	a := r.answers(question{path: "/internal/stats"}, 200).field("Content-Type", "^application/json").text(`"processing":`).text(`"uptime":`)
	if !json.Valid(a.body) {
		r.Errorf("not JSON: %s", a.body)
	}
	r.passes(question{path: "/internal/other"})
	r.answers(question{path: "/internal/stats", fields: []string{from("203.0.113.9")}}, 403)
}
