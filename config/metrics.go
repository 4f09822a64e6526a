package config

import (
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pingap/config/internal/places"
)

// Bounds of prometheus_metrics.
const (
	maxMetrics          = 4096 // bytes of path or URL
	defaultPushInterval = time.Minute
	leastPushInterval   = time.Second
	mostPushInterval    = day
)

// Push is a URL in prometheus_metrics: where metrics are pushed to, and how.
type Push struct {
	// Scheme is http or https for a Pushgateway, otlp+http, otlp+https, otlp+grpc or otlp+grpcs for a collector.
	Scheme string
	// URL is without user and password, with the scheme that is spoken; $HOSTNAME may be in its host and path.
	URL            url.URL
	User, Password Secret
	Interval       time.Duration
	// CA is the path of PEM that the certificate of a gateway or collector is verified with; empty takes the system's. It is not in URL.
	CA string
}

// MetricsPath is the path that shows metrics; ok is false where there is none.
func (s *Server) MetricsPath() (path string, ok bool) {
	text := s.PrometheusMetrics.Reveal()
	return text, text != "" && !strings.Contains(text, "://")
}

// MetricsPush is where metrics are pushed to; nil for nowhere. Errors quote nothing of it.
func (s *Server) MetricsPush() (*Push, error) {
	text := s.PrometheusMetrics.Reveal()
	if !strings.Contains(text, "://") {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || len(text) > maxMetrics {
		return nil, errors.New("expected a URL such as http://user:password@host:9091/metrics/job/pingap?interval=60s")
	}
	p := &Push{Scheme: strings.ToLower(u.Scheme), URL: *u, Interval: defaultPushInterval}
	switch p.Scheme {
	case "http", "https":
		p.URL.Scheme = p.Scheme
	case "otlp+http", "otlp+grpc":
		p.URL.Scheme = "http"
	case "otlp+https", "otlp+grpcs":
		p.URL.Scheme = "https"
	default:
		return nil, errors.New("expected http, https, otlp+http, otlp+https, otlp+grpc or otlp+grpcs before ://")
	}
	if u.User != nil {
		password, _ := u.User.Password()
		p.User, p.Password = Secret(u.User.Username()), Secret(password)
		p.URL.User = nil
	}
	if every := u.Query().Get("interval"); every != "" {
		d, err := ParseDuration(every)
		if err != nil || d.Std() < leastPushInterval || d.Std() > mostPushInterval {
			return nil, errors.New("interval: expected a duration of 1s to 1 day, such as 60s")
		}
		p.Interval = d.Std()
	}
	return p, p.setCA()
}

// setCA takes ca out of the URL: it is not for whoever gets the metrics. The rest of the query stays as it is written.
func (p *Push) setCA() error {
	query := p.URL.Query()
	if !query.Has("ca") {
		return nil
	}
	p.CA = query.Get("ca")
	p.URL.RawQuery = strings.Join(slices.DeleteFunc(strings.Split(p.URL.RawQuery, "&"), func(pair string) bool {
		one, _ := url.ParseQuery(pair) // what is wrong goes along, too
		return one.Has("ca")
	}), "&")
	switch {
	case !filepath.IsAbs(p.CA):
		return errors.New("ca: expected the absolute path of a file")
	case p.URL.Scheme != "https":
		return errors.New("ca: it is for https, otlp+https and otlp+grpcs")
	}
	return nil
}

// checkMetrics judges where metrics go, and who may see them.
func (l *loader) checkMetrics(e *entry, s *Server) {
	path, shown := s.MetricsPath()
	switch _, err := s.MetricsPush(); {
	case err != nil:
		l.fail(e.problem(err.Error(), "prometheus_metrics"))
	case shown && (path[0] != '/' || len(path) > maxMetrics || strings.ContainsAny(path, "?# \t\r\n")):
		l.fail(e.problem("expected a path that begins with / and has no query, or a URL", "prometheus_metrics"))
	case !shown && len(s.PrometheusMetricsAllow) > 0:
		l.warn(e.problem("no effect without a path in prometheus_metrics", "prometheus_metrics_allow"))
	}
	for i, text := range s.PrometheusMetricsAllow {
		if _, err := ParseNetwork(text); err != nil && text != "unix:" {
			l.fail(e.problem(err.Error(), "prometheus_metrics_allow", places.Element(i)))
		}
	}
}
