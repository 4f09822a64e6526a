package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 10

type httpExporter struct {
	options Options
	url     string
	client  *http.Client
	more    http.Header
}

func newHTTP(o Options, config *tls.Config, more http.Header) *httpExporter {
	scheme := "http"
	if o.Secure {
		scheme = "https"
	}
	return &httpExporter{options: o, more: more, url: scheme + "://" + o.Host + o.Path, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 1, MaxConnsPerHost: 1, MaxResponseHeaderBytes: maxAnswer, TLSClientConfig: config, ForceAttemptHTTP2: true},
		// What is sent is for this collector only.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (e *httpExporter) export(ctx context.Context, m *collector.ExportLogsServiceRequest) (int, error) {
	body, err := e.body(m)
	if err != nil {
		return 0, permanent{err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return 0, permanent{err}
	}
	maps.Copy(r.Header, e.more)
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("User-Agent", "pingap/"+e.options.Version)
	if e.options.Gzip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	answer, err := e.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return 0, fmt.Errorf("status %d", answer.StatusCode)
	default:
		return 0, permanent{fmt.Errorf("status %d", answer.StatusCode)}
	}
	var said collector.ExportLogsServiceResponse
	if err != nil || proto.Unmarshal(text, &said) != nil {
		return 0, nil // it has taken the lines, whatever it says of them
	}
	return int(said.GetPartialSuccess().GetRejectedLogRecords()), nil
}

func (e *httpExporter) body(m *collector.ExportLogsServiceRequest) ([]byte, error) {
	data, err := proto.Marshal(m)
	if err != nil || !e.options.Gzip {
		return data, err
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

func (e *httpExporter) close() error {
	e.client.CloseIdleConnections()
	return nil
}
