package http1

import (
	"testing"

	"pingap/message"
)

// browserRequest is what a browser sends for a page.
const browserRequest = "GET /articles/2024/06/index.html?utm_source=feed&page=2 HTTP/1.1\r\nHost: www.example.com\r\n" +
	"Connection: keep-alive\r\nsec-ch-ua: \"Chromium\";v=\"125\", \"Not.A/Brand\";v=\"24\"\r\nsec-ch-ua-mobile: ?0\r\n" +
	"sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n" +
	"Referer: https://www.example.com/articles/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=1\r\n\r\n"

// serverResponse is what a server answers.
const serverResponse = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Type: text/html; charset=utf-8\r\n" +
	"Content-Length: 12345\r\nLast-Modified: Mon, 02 Jan 2006 15:04:05 GMT\r\nConnection: keep-alive\r\nETag: \"65b0c3a1-3039\"\r\n" +
	"Cache-Control: max-age=60\r\nVary: Accept-Encoding\r\nAccept-Ranges: bytes\r\n\r\n"

// hot are the operations of every request, each ready to be repeated.
func hot(t testing.TB) map[string]func() {
	in, up := []byte(browserRequest), []byte(serverResponse)
	req, resp, fresh := new(message.Request), new(message.Response), new(message.Request)
	out := make([]byte, 0, 4<<10)
	chunked := []byte("5\r\nhello\r\n400\r\n" + string(make([]byte, 1024)) + "\r\n0\r\n\r\n")
	var chunks Chunked
	check := func(n int, err *Error) {
		if n == 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	_, frame, err := ParseRequest(in, req, &testLimits)
	check(1, err)
	return map[string]func(){
		"ParseRequest": func() {
			fresh.Reset()
			n, _, err := ParseRequest(in, fresh, &testLimits)
			check(n, err)
		},
		"ParseResponse": func() {
			resp.Reset()
			n, _, err := ParseResponse(up, resp, &testLimits, Ask{})
			check(n, err)
		},
		"AppendRequest": func() { out = AppendRequest(out[:0], req, &req.Fields, Out{Length: frame.Length}) },
		"Chunked": func() {
			chunks.Reset()
			n, _, err := chunks.Pass(chunked)
			check(n, err)
		},
	}
}

func TestHotPathsAllocateNothing(t *testing.T) {
	for name, f := range hot(t) {
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkHot(b *testing.B) {
	for name, f := range hot(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}
