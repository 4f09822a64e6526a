package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

const (
	keepAlive     = 5 * time.Second // without a sign of life, for a ping; as long again for its answer
	maxReceive    = 16 << 20        // bytes of one answer; what does not fit is asked for in smaller parts
	maxSend       = 4 << 20         // bytes of one request; etcd itself takes 1.5 MiB where nobody raised that
	maxPEM        = 1 << 20
	maxDescribing = 300 // bytes that are repeated of an error
)

// ErrAway is in errors of an etcd that did not answer: it may do so later.
var ErrAway = errors.New("etcd is away")

// Client is a connection to a target. Several goroutines may use it.
type Client struct {
	target Target
	kv     *clientv3.Client

	mu   sync.Mutex
	seen Mark // the newest that an answer carried
}

// note remembers where an answer was from, and reports whether that is before what is remembered: then it is not.
func (c *Client) note(m Mark) (older bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen != (Mark{}) && m.older(c.seen) {
		return true
	}
	c.seen = m
	return false
}

// last is what is remembered.
func (c *Client) last() Mark {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}

// Dial makes a client and waits until etcd answers, at most for the target's time limit of connecting.
func Dial(ctx context.Context, t Target) (*Client, error) {
	var secure *tls.Config
	scheme := "http://"
	if t.TLS {
		var err error
		if secure, err = t.tls(); err != nil {
			return nil, t.explain("connect", err)
		}
		scheme = "https://"
	}
	var endpoints []string
	for host := range strings.SplitSeq(t.Hosts, ",") {
		endpoints = append(endpoints, scheme+host)
	}
	var options []grpc.DialOption
	if secure != nil && t.ServerName != "" {
		options = append(options, grpc.WithTransportCredentials(named{credentials.NewTLS(secure), t.ServerName}))
	}
	kv, err := clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: t.Connect, TLS: secure, Username: t.User,
		Password: string(t.Password), Context: ctx, Logger: zap.NewNop(), DialKeepAliveTime: keepAlive, DialKeepAliveTimeout: keepAlive,
		DialOptions: options, MaxCallRecvMsgSize: maxReceive, MaxCallSendMsgSize: maxSend})
	if err != nil {
		return nil, t.explain("connect", err)
	}
	c := &Client{target: t, kv: kv}
	if _, err := c.Probe(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// named are credentials that expect one name in the certificate of each endpoint: what tls.Config says of that is replaced by the host.
type named struct {
	credentials.TransportCredentials
	name string
}

func (n named) ClientHandshake(ctx context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return n.TransportCredentials.ClientHandshake(ctx, n.name, conn)
}

func (n named) Clone() credentials.TransportCredentials {
	return named{n.TransportCredentials.Clone(), n.name}
}

// tls reads the files of a target.
func (t Target) tls() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		data, err := readPEM(t.CA)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("ca %s: no certificate in it", t.CA)
		}
	}
	if t.Cert == "" {
		return c, nil
	}
	cert, err := readPEM(t.Cert)
	if err != nil {
		return nil, err
	}
	key, err := readPEM(t.Key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("cert %s and key %s: %w", t.Cert, t.Key, err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

// Files are the files that a connection needs.
func (t Target) Files() []string {
	var files []string
	for _, path := range []string{t.Cert, t.Key, t.CA} {
		if path != "" {
			files = append(files, path)
		}
	}
	return files
}

func readPEM(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxPEM {
		return nil, fmt.Errorf("%s: expected a file of at most %d KiB", path, maxPEM>>10)
	}
	return os.ReadFile(path)
}

// Close ends the connection and what waits on it.
func (c *Client) Close() { _ = c.kv.Close() } // nothing that was written depends on it

// explain says what did not work, in one line and without a secret.
func (t Target) explain(what string, err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	away := status.Code(err) == codes.Unavailable
	switch {
	case errors.Is(err, context.DeadlineExceeded) || strings.Contains(text, "DeadlineExceeded") || strings.Contains(text, "deadline exceeded"):
		text, away = "no answer in time", true
	case errors.Is(err, rpctypes.ErrAuthFailed):
		text = "user or password is wrong"
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		err, text = errors.Join(ErrDenied, err), "the user of its URL has no right to it (etcdctl role grant-permission)"
	}
	if t.Password != "" {
		text = strings.ReplaceAll(text, string(t.Password), Secret("x").String())
	}
	if len(text) > maxDescribing {
		text = text[:maxDescribing] + "..."
	}
	return &Error{What: fmt.Sprintf("%s: %s: %s", t.String(), what, text), cause: err, away: away}
}

// ErrDenied is for what the user may not do.
var ErrDenied = errors.New("permission denied")

// Error is a request that failed. Its text names the target, and holds neither user nor password.
type Error struct {
	What  string
	cause error
	away  bool
}

func (e *Error) Error() string { return e.What }

// Is lets errors.Is find the errors of this package, and nothing whose text could hold more than it should.
func (e *Error) Is(target error) bool {
	return target == ErrAway && e.away || errors.Is(e.cause, target)
}
