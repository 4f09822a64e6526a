package limit

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"pingap/plugins"
	"pingap/plugins/plugintest"
)

const password = "hunter2-and-more"

// server is a real Redis on a port of its own.
type server struct {
	t    *testing.T
	port int
	cmd  *exec.Cmd
}

func startRedis(t *testing.T) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, port: l.Addr().(*net.TCPAddr).Port}
	l.Close()
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command("redis-server", "--port", fmt.Sprint(s.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--requirepass", password, "--dir", s.t.TempDir())
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	c := s.client()
	defer c.Close()
	eventually(s.t, "redis-server to answer", func() bool { return c.Ping(context.Background()).Err() == nil })
}

func (s *server) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

func (s *server) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: fmt.Sprintf("127.0.0.1:%d", s.port), Password: password, MaxRetries: -1})
}

func (s *server) table(rest string) string {
	return fmt.Sprintf("storage = \"redis://:%s@127.0.0.1:%d/1\"\nstorage_timeout = \"1s\"\n%s", password, s.port, rest)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// hosts are services of workers that share no memory, with what they log.
func hosts(t *testing.T, n int) (all []*plugins.Services, logs *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	for range n {
		s := workers(t, 1)[0]
		s.Log = zap.New(core)
		all = append(all, s)
	}
	return all, logs
}

func TestARateInRedisHoldsOverHosts(t *testing.T) {
	s := startRedis(t)
	services, logs := hosts(t, 3)
	all := serve(t, s.table("max = 50\ninterval = \"1h\"\ntag = \"header\"\nkey = \"k\""), services)
	for _, key := range []string{"a", "b"} {
		var got atomic.Int64
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				for range 20 {
					e := plugintest.New(t, "GET /\nk: "+key)
					if all[i%3].Decider.Decide(e).Answer == nil {
						got.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if got.Load() != 50 {
			t.Errorf("%s: %d of 240, want 50", key, got.Load())
		}
	}
	a := all[0].Decider.Decide(plugintest.New(t, "GET /\nk: a")).Answer
	if a == nil || a.Status != 429 || plugintest.Field(a, "RateLimit-Policy") != `"x";q=50;w=3600` || plugintest.Field(a, "X-RateLimit-Remaining") != "0" {
		t.Errorf("%+v", a)
	}
	if logs.Len() != 0 {
		t.Errorf("%v", logs.All())
	}
	c := s.client()
	defer c.Close()
	keys, err := c.Do(context.Background(), "INFO", "keyspace").Text()
	if err != nil || !strings.Contains(keys, "db1:keys=2,expires=2") {
		t.Errorf("%q, %v: want two keys that expire", keys, err)
	}
}

// The script must do what the arena does.
func TestRedisAdmitsOneAfterEachInterval(t *testing.T) {
	s := startRedis(t)
	services, _ := hosts(t, 1)
	x := serve(t, s.table("max = 20\ninterval = \"1s\"\nburst = 5"), services)[0]
	began, got := time.Now(), 0
	for time.Since(began) < 1500*time.Millisecond {
		if x.Decider.Decide(plugintest.New(t, "GET /")).Answer == nil {
			got++
		}
	}
	most := 5 + int(time.Since(began)/(50*time.Millisecond)) + 1
	if got > most || got < 10 {
		t.Errorf("%d in %v, at most %d", got, time.Since(began), most)
	}
	r := x.Decider.(*rate)
	eventually(t, "a request to pass after what it was told", func() bool {
		v, _ := r.ask(plugintest.New(t, "GET /"))
		if v.ok {
			return false
		}
		if v.wait <= 0 || v.wait > 50*time.Millisecond || v.charged <= 200*time.Millisecond || v.charged > 250*time.Millisecond {
			t.Fatalf("%+v", v)
		}
		time.Sleep(v.wait)
		v, _ = r.ask(plugintest.New(t, "GET /"))
		return v.ok
	})
}

func TestWhenRedisIsAwayTheLimitIsKeptHere(t *testing.T) {
	s := startRedis(t)
	services, logs := hosts(t, 2)
	all := serve(t, s.table("max = 4\ninterval = \"1h\"\ntag = \"header\"\nkey = \"k\""), services)
	if got := passed(t, all, "GET /\nk: a", 8); got != 4 {
		t.Fatalf("%d of 8", got)
	}
	s.kill()
	began := time.Now()
	if got := passed(t, all[:1], "GET /\nk: b", 200); got != 4 {
		t.Errorf("%d of 200 without storage", got)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("200 requests took %v", took)
	}
	if logs.FilterMessageSnippet("is away").Len() != 1 {
		t.Errorf("%v", logs.All())
	}
	s.start()
	eventually(t, "the storage to be used again", func() bool { return logs.FilterMessageSnippet("is back").Len() == 1 })
	eventually(t, "both", func() bool {
		passed(t, all, "GET /\nk: c", 2)
		return !all[0].Decider.(*rate).store.away.Load() && !all[1].Decider.(*rate).store.away.Load()
	})
	if got := passed(t, all, "GET /\nk: d", 20); got != 4 {
		t.Errorf("%d of 20 afterwards", got)
	}
	for _, entry := range logs.All() {
		if strings.Contains(fmt.Sprint(entry.Message, entry.ContextMap()), password) {
			t.Errorf("the password is in the log: %+v", entry)
		}
	}
}

// A storage that takes connections and says nothing costs each request that is there then its time-out, and the others nothing.
func TestASilentStorageCostsOneTimeOut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	services, logs := hosts(t, 1)
	table := fmt.Sprintf("max = 5\ninterval = \"1h\"\nstorage = \"redis://u:%s@%s\"\nstorage_timeout = \"100ms\"", password, l.Addr())
	x := serve(t, table, services)
	began := time.Now()
	if got := passed(t, x, "GET /", 100); got != 5 {
		t.Errorf("%d of 100", got)
	}
	if took := time.Since(began); took < 90*time.Millisecond || took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if logs.FilterMessageSnippet("is away").Len() != 1 {
		t.Errorf("%v", logs.All())
	}
}

func TestAWrongPasswordIsSaidWithoutIt(t *testing.T) {
	s := startRedis(t)
	services, logs := hosts(t, 1)
	x := serve(t, fmt.Sprintf("max = 2\ninterval = \"1h\"\nstorage = \"redis://:wrong-%s@127.0.0.1:%d\"\nstorage_timeout = \"2s\"", password, s.port), services)
	if got := passed(t, x, "GET /", 5); got != 2 {
		t.Errorf("%d of 5", got)
	}
	text := fmt.Sprint(logs.All())
	if !strings.Contains(text, "WRONGPASS") || strings.Contains(text, password) {
		t.Errorf("%s", text)
	}
}

func TestRubbishInTheStorageIsNoLimitForEver(t *testing.T) {
	s := startRedis(t)
	services, _ := hosts(t, 1)
	x := serve(t, s.table("max = 2\ninterval = \"1s\"\ntag = \"header\"\nkey = \"k\""), services)
	r := x[0].Decider.(*rate)
	c := redis.NewClient(&redis.Options{Addr: fmt.Sprintf("127.0.0.1:%d", s.port), Password: password, DB: 1})
	defer c.Close()
	passed(t, x, "GET /\nk: a", 1)
	keys, err := c.Keys(context.Background(), "*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	for _, value := range []string{"", "x", "-5", "1e300", "nan", "inf", "99999999999999999999"} {
		c.Set(context.Background(), keys[0], value, 0)
		eventually(t, "a request to pass after "+value, func() bool {
			v, _ := r.ask(plugintest.New(t, "GET /\nk: a"))
			return v.ok
		})
		if r.store.away.Load() {
			t.Fatalf("%q sent the storage away", value)
		}
	}
}
