package e2e

import (
	"context"
	"io"
	"net/http"
	"strings"
)

// askPlain asks by HTTP/1.1.
func askPlain(r *readme, q question) (*answer, error) {
	return fetch(r.addr, send(q.method, q.path, q.body, q.fields...))
}

// askStream asks by HTTP/2 in the clear, with prior knowledge.
func askStream(r *readme, q question) (*answer, error) {
	ctx, cancel := context.WithTimeout(r.Context(), exchangeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, q.method, "http://"+r.addr+q.path, strings.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	req.Host = "e2e.test"
	for _, f := range q.fields {
		name, value, _ := strings.Cut(f, ": ")
		if req.Header.Add(name, value); name == "Host" {
			req.Host = value
		}
	}
	if !hasField(q.fields, "User-Agent") {
		req.Header["User-Agent"] = nil // none, as in the other ways
	}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols, DisableCompression: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.ProtoMajor != 2 {
		r.Errorf("answered in %s", resp.Proto)
	}
	return &answer{resp.StatusCode, resp.Header, body, resp.Close}, err
}

// askUpgrade asks for a WebSocket, and uses it where the upstream agrees. What is no GET cannot ask that.
func askUpgrade(r *readme, q question) (*answer, error) {
	if q.method != "GET" {
		return askPlain(r, q)
	}
	c, err := connect(r.addr)
	if err != nil {
		return nil, err
	}
	defer c.close()
	a, err := c.do(get(q.path, append(q.fields, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")...))
	if err != nil || a.status != http.StatusSwitchingProtocols {
		return a, err
	}
	back := make([]byte, len(q.path))
	if _, err = io.WriteString(c.conn, q.path); err == nil {
		_, err = io.ReadFull(c.in, back)
	}
	if err == nil && string(back) != q.path {
		r.Errorf("%q came back through the tunnel for %q", back, q.path)
	}
	return a, err
}
