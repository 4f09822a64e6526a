package e2e

// readmeCases has an entry for each folder below plugins that has a README.
func readmeCases() map[string]readmeCase {
	return map[string]readmeCase{
		"basic_auth":       {run: exampleBasicAuth},
		"mock":             {run: exampleMock},
		"ping":             {run: examplePing},
		"redirect":         {run: exampleRedirect},
		"request_id":       {run: exampleRequestID},
		"response_headers": {run: exampleResponseHeaders},
		"sub_filter":       {run: exampleSubFilter},
	}
}

func exampleBasicAuth(r *readme) {
	r.answers(question{}, 401).field("WWW-Authenticate", "^Basic realm=").text("is missing")
	r.answers(question{fields: []string{"Authorization: Basic bm86bm8="}}, 401).text("Invalid user or password")
	r.passes(question{fields: []string{"Authorization: Basic YWxpY2U6d29uZGVybGFuZA=="}}).got("Authorization", "")
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
