package config

import (
	"bufio"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestHealthCheckOfAnUpstream(t *testing.T) {
	base := HealthCheck{Scheme: "tcp", ConnectionTimeout: 3 * time.Second, ReadTimeout: 3 * time.Second, Frequency: 10 * time.Second, Success: 1, Failure: 1}
	with := func(change func(*HealthCheck)) HealthCheck {
		h := base
		h.Failure, h.Path = 2, "/"
		change(&h)
		return h
	}
	tests := []struct {
		text string
		want HealthCheck
	}{
		{"", base},
		{"tcp://a", with(func(h *HealthCheck) { h.Host = "a" })},
		{"http://api.local/ready?check_frequency=20s&failure=3&deep=1", with(func(h *HealthCheck) {
			h.Scheme, h.Host, h.Path, h.Frequency, h.Failure = "http", "api.local", "/ready?deep=1", 20*time.Second, 3
		})},
		{"https://a:8443?a=1&reuse&b=%2F&parallel=true&connection_timeout=1m%2030s&read_timeout=500ms", with(func(h *HealthCheck) {
			h.Scheme, h.Host, h.Path, h.Reuse, h.Parallel = "https", "a:8443", "/?a=1&b=%2F", true, true
			h.ConnectionTimeout, h.ReadTimeout = time.Minute, 500*time.Millisecond
			h.Odd = []string{"connection_timeout: expected 1ms to 1m, found 1m 30s; 1m is used"}
		})},
		{"grpc://[::1]:50051/x?tls&service=pkg.Svc&success=2", with(func(h *HealthCheck) {
			h.Scheme, h.Host, h.Path, h.TLS, h.Service, h.Success = "grpc", "[::1]:50051", "/x", true, "pkg.Svc", 2
		})},
		{"http://a/ü x?q=ü x#f&reuse", with(func(h *HealthCheck) {
			h.Scheme, h.Host, h.Path = "http", "a", "/%C3%BC%20x?q=%C3%BC%20x"
		})},
		{"http://a/?reuse=false&tls&parallel=0&check_frequency=1ms&read_timeout=0s&success=0&failure=x&check_frequency=2s", with(func(h *HealthCheck) {
			h.Scheme, h.Host, h.Frequency = "http", "a", 2*time.Second
			h.TLS = true
			h.Odd = []string{"tls: no effect with http, it is for grpc", "check_frequency: expected 1s to 1days, found 1ms; 1s is used",
				"read_timeout: expected more than 0s; 3s is used", `success: expected 1 to 1000, found "0"; 1 is used`, `failure: expected 1 to 1000, found "x"; 2 is used`}
		})},
		{"tcp://u:p@a?check_frequncy=1s", with(func(h *HealthCheck) {
			h.Host, h.Path = "a", "/?check_frequncy=1s"
			h.Odd = []string{"user: no effect: names and passwords are not sent", "check_frequncy: unknown parameter, it has no effect with tcp"}
		})},
	}
	for _, tt := range tests {
		got, err := ParseHealthCheck(tt.text)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", tt.text, err, got, tt.want)
		}
	}
	h := HealthCheck{Host: "[::1]:50051"}
	if h.ServerName() != "::1" {
		t.Errorf("name %q", h.ServerName())
	}
}

func TestHealthCheckRefusesWhatIsNoURL(t *testing.T) {
	for _, text := range []string{"a", "http:///x", "http://", "http://:80", "ftp://a", "http://a b/", "http://a/\r\nX: y", "http://a:port/", "http://ü/",
		"http://a/" + strings.Repeat("x", maxHealthCheck)} {
		if h, err := ParseHealthCheck(text); err == nil {
			t.Errorf("%.80q is %+v", text, h)
		}
	}
}

// What a check sends is made of the URL: it must stay one request, whatever the URL is.
func FuzzHealthCheck(f *testing.F) {
	for _, text := range []string{"", "tcp://a", "http://api.local/ready?check_frequency=20s&failure=3&deep=1", "grpc://[::1]:1?tls&service=%00", "https://a?x y=\u00fc&reuse=0", "http://a/%0d%0a?%0d=1&a#b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHealthCheck(text)
		if err != nil {
			return
		}
		bounded := h.Frequency >= leastCheckFrequency && h.Frequency <= mostCheckFrequency && h.ConnectionTimeout > 0 && h.ReadTimeout > 0 &&
			h.ConnectionTimeout <= mostCheckTimeout && h.ReadTimeout <= mostCheckTimeout && h.Success >= 1 && h.Failure >= 1
		if !bounded {
			t.Fatalf("%q is %+v", text, h)
		}
		if text == "" {
			return
		}
		head := "GET " + h.Path + " HTTP/1.1\r\nHost: " + h.Host + "\r\n\r\n"
		r := bufio.NewReader(strings.NewReader(head))
		request, err := http.ReadRequest(r)
		if err != nil || request.RequestURI != h.Path || len(request.Header) != 0 || r.Buffered() != 0 {
			t.Fatalf("%q asks %q: %v", text, head, err)
		}
	})
}
