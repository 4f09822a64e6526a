package e2e

import (
	"strings"
	"testing"
)

// browsers are heads as current browsers send them over plain HTTP to a name of this machine.
func browsers() map[string][]string {
	return map[string][]string{
		"Chromium": {
			"Host: localhost:6188",
			"Connection: keep-alive",
			"Cache-Control: max-age=0",
			`sec-ch-ua: "Chromium";v="142", "Not_A Brand";v="99"`,
			"sec-ch-ua-mobile: ?0",
			`sec-ch-ua-platform: "Linux"`,
			"Upgrade-Insecure-Requests: 1",
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
			"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
			"Sec-Fetch-Site: none",
			"Sec-Fetch-Mode: navigate",
			"Sec-Fetch-User: ?1",
			"Sec-Fetch-Dest: document",
			"Accept-Encoding: gzip, deflate, br, zstd",
			"Accept-Language: en-GB,en-US;q=0.9,en;q=0.8,de;q=0.7",
			"Cookie: _ga=GA1.1.123456789.1700000000; theme=dark; session=eyJhbGciOiJIUzI1NiJ9.e30.Zm9v_-; empty=; q=\"a b\"",
		},
		"Firefox": {
			"Host: localhost:6188",
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
			"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
			"Accept-Language: de,en-US;q=0.7,en;q=0.3",
			"Accept-Encoding: gzip, deflate, br, zstd",
			"DNT: 1",
			"Sec-GPC: 1",
			"Connection: keep-alive",
			"Referer: http://localhost:6188/start?a=1",
			"Cookie: a=1; b=2",
			"Upgrade-Insecure-Requests: 1",
			"Sec-Fetch-Dest: document",
			"Sec-Fetch-Mode: navigate",
			"Sec-Fetch-Site: same-origin",
			"Priority: u=0, i",
			"Pragma: no-cache",
			"Cache-Control: no-cache",
		},
	}
}

func TestBrowsersAreServed(t *testing.T) {
	t.Parallel()
	_, addr := behind(t, newHTTPBin(t))
	for name, head := range browsers() {
		t.Run(name, func(t *testing.T) {
			c := dial(t, addr)
			// A page, then what it refers to, on the same connection.
			for _, target := range []string{"/headers", "/get?q=%C3%BC%20%26&utm[]=1|2", "/html", "/image/png", "/image/svg", "/favicon.ico"} {
				a, err := c.do(get(target, head...))
				if err != nil {
					t.Fatalf("%s: %v", target, err)
				}
				if target == "/favicon.ico" && a.status == 404 {
					continue
				}
				if a.status != 200 || len(a.body) == 0 {
					t.Errorf("%s: status %d", target, a.status)
				}
				if target == "/headers" {
					everyField(t, string(a.body), head)
				}
			}
		})
	}
}

// everyField checks that the end-to-end fields have arrived.
func everyField(t *testing.T, text string, head []string) {
	t.Helper()
	for _, f := range head {
		name, value, _ := strings.Cut(f, ": ")
		if name == "Connection" || name == "Host" {
			continue
		}
		plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&", `\"`, `"`).Replace(text)
		if !strings.Contains(plain, value) {
			t.Errorf("%s did not arrive: %q", name, value)
		}
	}
	if !strings.Contains(text, "localhost:6188") {
		t.Error("Host did not arrive")
	}
}
