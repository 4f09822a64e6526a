package metrics

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"go.uber.org/zap"

	"pingap/config"
)

// Limits of pushing.
const (
	pushTime  = time.Minute // for one push, whatever its interval is
	maxAnswer = 64 << 10    // bytes of an answer that are read, so that the connection can be used again
)

// hostVariable in a URL is the name of this host.
const hostVariable = "$HOSTNAME"

// Pusher pushes the pages of servers to where their configuration says. The zero value with its fields is ready.
type Pusher struct {
	Exporter *Exporter
	Log      *zap.Logger

	mu      sync.Mutex // guards running
	running map[string]*pushing
}

// pushing is one goroutine.
type pushing struct {
	push   config.Push
	cancel context.CancelFunc
}

// sender sends a page.
type sender interface {
	send(ctx context.Context, page []*dto.MetricFamily) error
	close()
}

// Set makes these the pushes there are, by server. Those that stay the same go on. Their goroutines belong to wg and end with ctx.
func (p *Pusher) Set(ctx context.Context, wg *sync.WaitGroup, pushes map[string]*config.Push) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		p.running = map[string]*pushing{}
	}
	for name, r := range p.running {
		if next := pushes[name]; next == nil || *next != r.push {
			r.cancel()
			delete(p.running, name)
		}
	}
	for name, push := range pushes {
		if p.running[name] != nil {
			continue
		}
		within, cancel := context.WithCancel(ctx)
		p.running[name] = &pushing{push: *push, cancel: cancel}
		wg.Go(func() { p.run(within, name, push) })
	}
}

// run pushes one page after the other until ctx ends. What fails is told once, and that it works again.
func (p *Pusher) run(ctx context.Context, name string, push *config.Push) {
	log := p.Log.With(zap.String("server", name), zap.String("to", target(push).Host))
	to, err := newSender(ctx, push)
	if err != nil {
		log.Error("metrics are not pushed", zap.String("problem", withoutSecrets(err, push)))
		return
	}
	defer to.close()
	tick := time.NewTicker(push.Interval)
	defer tick.Stop()
	failing := false
	for ctx.Err() == nil {
		err := p.once(ctx, to, name)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			log.Warn("metrics were not pushed; this is told again only when it works", zap.String("problem", withoutSecrets(err, push)))
		case err == nil && failing:
			log.Info("metrics are pushed again")
		}
		failing = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (p *Pusher) once(ctx context.Context, to sender, name string) error {
	ctx, cancel := context.WithTimeout(ctx, pushTime)
	defer cancel()
	page, err := p.Exporter.Gather(ctx, name)
	if err != nil {
		return err
	}
	return to.send(ctx, page)
}

func newSender(ctx context.Context, push *config.Push) (sender, error) {
	if strings.HasPrefix(push.Scheme, "otlp") {
		return newCollector(ctx, push)
	}
	secure, err := trust(push.CA)
	if err != nil {
		return nil, err
	}
	return &gateway{push: push, url: target(push), client: &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: 2 * push.Interval,
			TLSClientConfig: secure, ForceAttemptHTTP2: true},
		// A redirect would take user and password elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// target is the URL with the name of this host.
func target(push *config.Push) url.URL {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	u := push.URL
	u.Host = strings.ReplaceAll(u.Host, hostVariable, host)
	u.Path = strings.ReplaceAll(u.Path, hostVariable, host)
	u.RawPath = ""
	u.RawQuery = strings.ReplaceAll(u.RawQuery, hostVariable, url.QueryEscape(host))
	return u
}

// withoutSecrets says what went wrong, and nothing of the URL but its host.
func withoutSecrets(err error, push *config.Push) string {
	var inURL *url.Error
	for errors.As(err, &inURL) {
		err = inURL.Err
	}
	text := err.Error()
	for _, secret := range secretsOf(push) {
		text = strings.ReplaceAll(text, secret, "[hidden]")
	}
	return text
}

// secretsOf are the texts that no message may hold, longest first. A user with a password is hidden where it stands before a host only: as a
// word of its own it may be that of any message. Without one it is what lets in, as tokens are.
func secretsOf(push *config.Push) []string {
	user, password := push.User.Reveal(), push.Password.Reveal()
	u := target(push)
	all := []string{password, u.RawQuery}
	switch {
	case user != "" && password == "":
		all = append(all, user)
	case user != "":
		all = append(all, user+"@", url.User(user).String()+"@")
	}
	if user != "" || password != "" {
		all = append(all, user+":"+password, url.UserPassword(user, password).String(), basic(push))
	}
	if password != "" {
		all = append(all, strings.TrimPrefix(url.UserPassword("", password).String(), ":"), url.QueryEscape(password))
	}
	all = slices.DeleteFunc(all, func(s string) bool { return s == "" })
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

// basic is what basic authentication makes of user and password.
func basic(push *config.Push) string {
	return base64.StdEncoding.EncodeToString([]byte(push.User.Reveal() + ":" + push.Password.Reveal()))
}

// gateway is a Pushgateway.
type gateway struct {
	push   *config.Push
	url    url.URL
	client *http.Client
}

func (g *gateway) close() { g.client.CloseIdleConnections() }

// send posts a page: what it has replaces what was there of the same names.
func (g *gateway) send(ctx context.Context, page []*dto.MetricFamily) error {
	format := expfmt.NewFormat(expfmt.TypeProtoDelim)
	var body bytes.Buffer
	encoder := expfmt.NewEncoder(&body, format)
	for _, f := range page {
		if err := encoder.Encode(f); err != nil {
			return fmt.Errorf("encode %s: %w", f.GetName(), err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url.String(), &body)
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	r.Header.Set("Content-Type", string(format))
	if g.push.User != "" || g.push.Password != "" {
		r.SetBasicAuth(g.push.User.Reveal(), g.push.Password.Reveal())
	}
	answer, err := g.client.Do(r)
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // what it says may hold anything
	if answer.StatusCode >= 300 {
		return fmt.Errorf("push: answered with status %d", answer.StatusCode)
	}
	return nil
}
