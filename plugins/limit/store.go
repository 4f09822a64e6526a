package limit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.uber.org/zap"

	"pingap/plugins"
)

// probeEvery is how often a storage that is away is tried, at most, and probeTimeout how long it has to take a new connection.
const (
	probeEvery   = time.Second
	probeTimeout = time.Second
)

// decide is one decision: GCRA as in the arena, in microseconds on the storage's own clock, which is the one that all hosts share. A script is atomic.
// KEYS[1] holds the time up to which is charged; ARGV are what one request costs and what all of a burst do. It answers how long to
// wait, 0 if the request was admitted, and how long it takes until nothing is charged. What is further off than a burst can be, or no number,
// is cut. (tostring would round such large numbers.)
const decide = `
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local step, span = tonumber(ARGV[1]), tonumber(ARGV[2])
local till = tonumber(redis.call('GET', KEYS[1])) or now
local wait = 0
local function keep()
	redis.call('SET', KEYS[1], string.format('%.0f', till), 'PX', math.ceil((till - now) / 1000))
end
if not (till <= now + span) then
	till, wait = now + span, step
	if span > 0 then keep() end
else
	till = math.max(now, till)
	wait = till + step - span - now
end
if wait > 0 then
	return {wait, till - now}
end
till = till + step
keep()
return {0, till - now}
`

// errStorage never holds the address, which holds a password.
var errStorage = plugins.Errorf("storage", "expected redis://user:password@host:port/db or rediss://..., with options of the client if any")

// readStorage returns the storage of an instance, nil for none.
func readStorage(p *plugins.Parameters) (*redis.Options, time.Duration, error) {
	timeout := p.Duration("storage_timeout")
	if timeout < time.Millisecond || timeout > maxTimeout {
		return nil, 0, plugins.Errorf("storage_timeout", "expected 1ms to %s, found %s", maxTimeout, timeout)
	}
	text := p.String("storage")
	if text == "" {
		if p.Has("storage_timeout") {
			return nil, 0, plugins.Errorf("storage_timeout", "is of no use without storage")
		}
		return nil, 0, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Hostname() == "" || u.Fragment != "" {
		return nil, 0, errStorage
	}
	o, err := redis.ParseURL(text)
	if err != nil || o.PoolSize < 0 || o.PoolSize > 10_000 {
		return nil, 0, errStorage
	}
	return o, timeout, nil
}

// store keeps a rate in Redis. While that is away it says so, and nobody waits for it: one goroutine tries, once a second.
type store struct {
	client     *redis.Client
	script     *redis.Script
	timeout    time.Duration
	prefix     string
	step, span int64 // µs
	log        *zap.Logger
	password   string
	away       atomic.Bool
	stop       chan struct{} // closed by close

	mu      sync.Mutex // guards closed, and that no prober begins after it
	closed  bool
	probing sync.WaitGroup
}

func newStore(o *redis.Options, timeout time.Duration, name string, every time.Duration, burst int, log *zap.Logger) *store {
	redis.SetLogger(silence{}) // what matters is said here, once
	if log == nil {
		log = zap.NewNop()
	}
	o.ContextTimeoutEnabled = true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = max(timeout, probeTimeout), timeout, timeout, timeout
	o.MaxRetries, o.DialerRetries = -1, 1 // a second try would cost a second time-out
	o.Protocol, o.DisableIdentity, o.PipelinePoolSize = 2, true, -1
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	step := (every.Nanoseconds() + 999) / 1000
	return &store{
		client: redis.NewClient(o), script: redis.NewScript(decide), timeout: timeout,
		prefix: "pingap:limit:" + name + ":", step: step, span: step * int64(burst),
		log: log.Named("limit").With(zap.String("plugin", name), zap.String("storage", o.Addr)), password: o.Password,
		stop: make(chan struct{}),
	}
}

// silence drops what the client library would write to standard error.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// ask decides about the client with this value; false if the storage is away. All hosts make the same key of it, of bounded length, and those who
// look into the storage read no tokens there.
func (s *store) ask(value []byte) (verdict, bool) {
	if s.away.Load() {
		return verdict{}, false
	}
	digest := sha256.Sum256(value)
	v, err := s.run(s.prefix+hex.EncodeToString(digest[:16]), s.step, s.span)
	if err != nil {
		s.lose(err)
		return verdict{}, false
	}
	return v, true
}

func (s *store) run(key string, step, span int64) (verdict, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	got, err := s.script.Run(ctx, s.client, []string{key}, step, span).Int64Slice()
	if err != nil {
		return verdict{}, err
	}
	if len(got) != 2 || got[0] < 0 || got[1] < 0 || got[0] > step || got[1] > max(span, step) {
		return verdict{}, errors.New("the answer of the script is of another kind")
	}
	return verdict{got[0] == 0, time.Duration(got[0]) * time.Microsecond, time.Duration(got[1]) * time.Microsecond}, nil
}

// lose is called by whoever has waited in vain; the first says it, and has the storage tried until it answers.
func (s *store) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.away.CompareAndSwap(false, true) {
		return
	}
	s.log.Warn("the storage is away, the limit is kept on this host", zap.String("error", s.safe(err)))
	s.probing.Go(s.probe) // ends when the storage is back, or with close
}

func (s *store) probe() {
	began := time.Now()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		if s.answers() {
			s.log.Info("the storage is back, the limit is kept there", zap.Duration("away", time.Since(began)))
			s.away.Store(false)
			return
		}
	}
}

// answers reports whether the storage decides in time, on a connection that is there already.
func (s *store) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), max(s.timeout, probeTimeout))
	defer cancel()
	if s.client.Ping(ctx).Err() != nil {
		return false
	}
	_, err := s.run(s.prefix+"probe", 1000, 1000)
	return err == nil
}

// safe is an error without the password.
func (s *store) safe(err error) string {
	if s.password == "" {
		return err.Error()
	}
	return strings.ReplaceAll(err.Error(), s.password, "...")
}

func (s *store) close() error {
	s.mu.Lock()
	s.closed = true
	close(s.stop)
	s.mu.Unlock()
	s.probing.Wait() // at most for the time-outs of a probe
	if err := s.client.Close(); err != nil {
		return fmt.Errorf("limit: close the storage: %s", s.safe(err))
	}
	return nil
}
