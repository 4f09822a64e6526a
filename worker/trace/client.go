package trace

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"

	"pingap/config/otlp"
)

// Between attempts of an export.
const (
	firstRetry = time.Second
	lastRetry  = 10 * time.Second
	// maxAnswer bounds what is read of a collector's answer.
	maxAnswer = 64 << 10
)

// newClient makes what speaks to the collector. It connects when it is first used.
func newClient(ctx context.Context, cfg *otlp.Exporter, version string) (sdk.SpanExporter, error) {
	protocol := newGRPC
	if cfg.HTTP {
		protocol = newHTTP
	}
	secure, err := trust(cfg.CA)
	if err != nil {
		return nil, err
	}
	client, err := protocol(cfg, secure, version)
	if err != nil {
		return nil, err
	}
	return otlptrace.New(ctx, client)
}

// maxCA bounds a file of CAs, in bytes.
const maxCA = 1 << 20

// trust are the settings of TLS: with the CAs of the system, or of a file alone.
func trust(path string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if path == "" {
		return c, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxCA {
		return nil, fmt.Errorf("ca: %s: expected a file of at most %d KiB", path, maxCA>>10)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("ca: %s: no certificate in it", path)
	}
	return c, nil
}

func newGRPC(cfg *otlp.Exporter, secure *tls.Config, version string) (otlptrace.Client, error) {
	options := []otlptracegrpc.Option{
		otlptracegrpc.WithEndpoint(cfg.Endpoint), otlptracegrpc.WithHeaders(cfg.Headers), otlptracegrpc.WithTimeout(cfg.MaxExport),
		otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: lastRetry, MaxElapsedTime: cfg.MaxExport}),
	}
	dial := []grpc.DialOption{
		grpc.WithUserAgent("pingap/" + version), grpc.WithNoProxy(), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
		grpc.WithChainUnaryInterceptor(within(cfg.Timeout)),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: cfg.Timeout,
			Backoff: backoff.Config{BaseDelay: firstRetry, Multiplier: backoff.DefaultConfig.Multiplier, Jitter: backoff.DefaultConfig.Jitter, MaxDelay: lastRetry}}),
	}
	if cfg.TLS {
		options = append(options, otlptracegrpc.WithTLSCredentials(credentials.NewTLS(secure)))
	} else {
		options = append(options, otlptracegrpc.WithInsecure())
	}
	switch cfg.Compression {
	case "gzip":
		options = append(options, otlptracegrpc.WithCompressor("gzip"))
	case "zstd":
		encoder, err := newEncoder()
		if err != nil {
			return nil, err
		}
		//lint:ignore SA1019 the other way is a registry for the whole process
		dial = append(dial, grpc.WithCompressor(encoder))
	}
	return otlptracegrpc.NewClient(append(options, otlptracegrpc.WithDialOption(dial...))...), nil
}

// within bounds one attempt of an export.
func within(limit time.Duration) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return invoke(ctx, method, req, reply, cc, opts...)
	}
}

func newHTTP(cfg *otlp.Exporter, secure *tls.Config, version string) (otlptrace.Client, error) {
	transport := &http.Transport{MaxIdleConns: 1, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: cfg.Timeout, ForceAttemptHTTP2: true,
		TLSClientConfig: secure}
	shaped := &shaping{to: transport, agent: "pingap/" + version}
	options := []otlptracehttp.Option{
		otlptracehttp.WithEndpoint(cfg.Endpoint), otlptracehttp.WithURLPath(cfg.Path), otlptracehttp.WithHeaders(cfg.Headers),
		otlptracehttp.WithTimeout(cfg.MaxExport), otlptracehttp.WithMaxResponseSize(maxAnswer),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: lastRetry, MaxElapsedTime: cfg.MaxExport}),
		otlptracehttp.WithHTTPClient(&http.Client{Transport: shaped, Timeout: cfg.Timeout, CheckRedirect: noRedirect}),
		otlptracehttp.WithCompression(otlptracehttp.NoCompression),
	}
	if !cfg.TLS {
		options = append(options, otlptracehttp.WithInsecure())
	}
	switch cfg.Compression {
	case "gzip":
		options = append(options, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	case "zstd":
		var err error
		if shaped.zstd, err = newEncoder(); err != nil {
			return nil, err
		}
	}
	return otlptracehttp.NewClient(options...), nil
}

// noRedirect keeps the headers, which may be secret, with the collector that they are for.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// shaping is what is special about our requests: who sends them, and zstd.
type shaping struct {
	to    *http.Transport
	agent string
	zstd  *encoder
}

// RoundTrip implements http.RoundTripper.
func (s *shaping) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", s.agent)
	if s.zstd == nil || r.Body == nil {
		return s.to.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	body = s.zstd.EncodeAll(body, nil)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Header.Set("Content-Encoding", "zstd")
	return s.to.RoundTrip(r)
}

// CloseIdleConnections is what http.Client asks for.
func (s *shaping) CloseIdleConnections() { s.to.CloseIdleConnections() }

// encoder is zstd, as both protocols want it.
type encoder struct{ *zstd.Encoder }

func newEncoder() (*encoder, error) {
	const window = 256 << 10 // a batch has no more, and the default is memory for megabytes
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true))
	return &encoder{e}, err
}

// Do implements grpc.Compressor.
func (e *encoder) Do(w io.Writer, p []byte) error {
	_, err := w.Write(e.EncodeAll(p, nil))
	return err
}

// Type implements grpc.Compressor.
func (*encoder) Type() string { return "zstd" }
