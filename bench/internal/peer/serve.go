package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"time"
)

// cleartext is HTTP/2 with prior knowledge, beside or without HTTP/1.1.
func cleartext(http1 bool) *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(http1)
	p.SetUnencryptedHTTP2(true)
	return &p
}

// serve runs a server until ctx ends.
func serve(ctx context.Context, o options, handler http.Handler) error {
	server := &http.Server{Addr: o.addr, Handler: handler, Protocols: cleartext(true)}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }() // ends with the server
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	err := server.Close()
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// serveGRPC answers every call with the message that came, uncompressed and unread: a unary echo.
func serveGRPC(ctx context.Context, o options) error {
	return serve(ctx, o, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		message, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			return // the caller is gone
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write(message)
		_ = http.NewResponseController(w).Flush() // no Content-Length, as gRPC servers have none
		w.Header().Set("Grpc-Status", "0")
	}))
}

// serveReverse is Go's reverse proxy with its HTTP/2 transport, doing what all proxies of the table do: an access log, a request id.
func serveReverse(ctx context.Context, o options) error {
	log, err := os.OpenFile(o.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	target := &url.URL{Scheme: "http", Host: o.upstream}
	proxy := &httputil.ReverseProxy{
		Transport:  &http.Transport{Protocols: cleartext(false), MaxIdleConnsPerHost: 128},
		BufferPool: &buffers{},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.Header.Set("X-Request-Id", requestID())
		},
		ModifyResponse: func(r *http.Response) error {
			q := r.Request
			r.Header.Set("X-Request-Id", q.Header.Get("X-Request-Id"))
			_, err := fmt.Fprintf(log, "%s - - [%s] \"%s %s HTTP/1.1\" %d %d %q %q\n", q.RemoteAddr, time.Now().Format("02/Jan/2006:15:04:05 -0700"),
				q.Method, q.URL.RequestURI(), r.StatusCode, r.ContentLength, q.Referer(), q.UserAgent())
			return err
		},
	}
	return serve(ctx, o, proxy)
}

func requestID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// buffers keeps those that bodies are copied with.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if kept, ok := b.pool.Get().(*[]byte); ok {
		return *kept
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(buf []byte) { b.pool.Put(&buf) }
