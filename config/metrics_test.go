package config

import (
	"strings"
	"testing"
	"time"
)

func TestMetricsAreShownAtAPathOrPushedToAURL(t *testing.T) {
	for _, c := range []struct {
		text, path, scheme, url, user, password, ca string
		every                                       time.Duration
	}{
		{text: ""},
		{text: "/metrics", path: "/metrics"},
		{text: "http://a:b@gateway:9091/metrics/job/x?interval=5s", scheme: "http", url: "http://gateway:9091/metrics/job/x?interval=5s", user: "a", password: "b", every: 5 * time.Second},
		{text: "https://gateway/$HOSTNAME", scheme: "https", url: "https://gateway/$HOSTNAME", every: time.Minute},
		{text: "otlp+grpc://collector:4317", scheme: "otlp+grpc", url: "http://collector:4317", every: time.Minute},
		{text: "otlp+grpcs://c?ca=/etc/ca.pem&interval=5s", scheme: "otlp+grpcs", url: "https://c?interval=5s", ca: "/etc/ca.pem", every: 5 * time.Second},
		{text: "https://gateway/?ca=%2Fetc%2Fca.pem", scheme: "https", url: "https://gateway/", ca: "/etc/ca.pem", every: time.Minute},
		{text: "https://gateway/?host=$HOSTNAME&c%61=/etc/ca.pem&b&a=1", scheme: "https", url: "https://gateway/?host=$HOSTNAME&b&a=1", ca: "/etc/ca.pem", every: time.Minute},
		{text: "otlp+https://:token@collector", scheme: "otlp+https", url: "https://collector", password: "token", every: time.Minute},
	} {
		s := &Server{PrometheusMetrics: Secret(c.text)}
		path, shown := s.MetricsPath()
		push, err := s.MetricsPush()
		if err != nil || path != c.path && shown || shown != (c.path != "") || (push != nil) != (c.scheme != "") {
			t.Errorf("%q: path %q, push %v, %v", c.text, path, push, err)
			continue
		}
		if push != nil && (push.Scheme != c.scheme || push.URL.String() != c.url || push.User.Reveal() != c.user || push.Password.Reveal() != c.password || push.CA != c.ca || push.Interval != c.every) {
			t.Errorf("%q: %+v", c.text, *push)
		}
	}
}

func FuzzMetricsPush(f *testing.F) {
	for _, text := range []string{"http://a:hush@h/x?interval=1s", "ftp://:hush@h", "otlp+grpc://h:1", "://", "http://%zz:hush@h", "http://h?interval=hush", "https://h?ca=hush", "http://h?ca=/hush"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := &Server{PrometheusMetrics: Secret(text)}
		push, err := s.MetricsPush()
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: the error quotes it: %v", text, err)
		}
		if push != nil && (push.Interval < time.Second || push.URL.User != nil || push.URL.Host == "") {
			t.Errorf("%q: %+v", text, push)
		}
	})
}
