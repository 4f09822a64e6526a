package discovery

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/control/discovery/internal/dns"
	"pingap/control/discovery/internal/docker"
)

// maxEndpoints bounds the backends of one upstream, as ipc.MaxEndpoints does.
const maxEndpoints = 1024

// Endpoint is one backend.
type Endpoint struct {
	Address config.Address
	Weight  int // at least 1
	Backup  bool
	From    string // the entry of addrs that it comes from
}

// Update is all that is known of an upstream's backends.
type Update struct {
	Endpoints []Endpoint // each address once, in the order of addrs
	// Tried says that each entry was looked up at least once, with success or without: nothing is gained by waiting for more.
	Tried bool
	// Complete says that each entry has had an answer. Until then backends that were known before a restart may be missing, and should
	// be kept.
	Complete bool
	Problems []string // what is wrong now; each stays the same text until it is over
}

// Options of New. The zero value works.
type Options struct {
	Log          *zap.Logger // nil logs nothing
	DockerSocket string      // of the engine; empty is /var/run/docker.sock
	Lookups      int         // questions to name servers on their way at once; 0 is 64
	ResolvConf   string      // file; empty is the system's
	Hosts        string      // file; empty is the system's
}

// Finder finds the backends of upstreams. Its methods are safe for concurrent use.
type Finder struct {
	log    *zap.Logger
	names  lookups
	engine *docker.Engine
}

// Socket is the engine's socket that the environment variable DOCKER_HOST names, for Options.DockerSocket.
func Socket(dockerHost string) (string, error) {
	path, ok := strings.CutPrefix(dockerHost, "unix://")
	if dockerHost != "" && !(ok && strings.HasPrefix(path, "/")) {
		return "", errors.New("DOCKER_HOST: only unix:// and an absolute path is understood")
	}
	return path, nil
}

// lookups is what a Finder needs of a resolver.
type lookups interface {
	Addresses(ctx context.Context, s dns.Settings, host string) (dns.Answer, error)
	Services(ctx context.Context, s dns.Settings, name string) (dns.Answer, error)
}

// New returns a Finder. It has no goroutines while nothing runs.
func New(opt Options) *Finder {
	log := opt.Log
	if log == nil {
		log = zap.NewNop()
	}
	const socket = "/var/run/docker.sock"
	return &Finder{
		log:    log,
		names:  dns.New(dns.Options{ResolvConf: opt.ResolvConf, Hosts: opt.Hosts, Lookups: opt.Lookups}),
		engine: docker.New(cmp.Or(opt.DockerSocket, socket), log),
	}
}

// Run watches the backends of an upstream until ctx ends, and calls report, from one goroutine, at once with what needs no look-up and
// then with every change. It returns earlier where nothing can change any more: that withdraws nothing. With transparent discovery
// there are no backends.
func (f *Finder) Run(ctx context.Context, u *config.Upstream, report func(Update)) {
	p := newPool(len(u.Addrs))
	var watchers []func(context.Context)
	switch u.Discovery {
	case "transparent":
		report(Update{Tried: true, Complete: true})
		return
	case "docker":
		watchers = append(watchers, (&containers{pool: p, engine: f.engine, upstream: u}).run)
	default:
		for i, text := range u.Addrs {
			if w := f.watcher(p, i, text, u); w != nil {
				watchers = append(watchers, w.run)
			}
		}
	}
	var wait sync.WaitGroup
	for _, watch := range watchers {
		wait.Go(func() { watch(ctx) }) // ends with ctx, or when nothing can change any more
	}
	done := make(chan struct{})
	go func() { // ends with the watchers
		wait.Wait()
		close(done)
	}()
	p.tell(ctx, done, report)
	<-done
}

// watcher returns what looks up an entry. Literal addresses and sockets go into the pool as they are.
func (f *Finder) watcher(p *pool, i int, text string, u *config.Upstream) *watcher {
	b, err := u.Backend(text)
	if err != nil { // Load refuses these
		p.fail(i, text+": "+err.Error())
		return nil
	}
	e := Endpoint{Address: b.Address, Weight: b.Weight, Backup: b.Backup, From: text}
	if b.Network == "unix" || isLiteral(b.Host) {
		p.set(i, []Endpoint{e})
		return nil
	}
	servers, err := config.NameServers(u.DNSServer)
	if err != nil { // Load refuses these
		p.fail(i, "dns_server: "+err.Error())
		return nil
	}
	w := &watcher{
		pool: p, entry: i, model: e, names: f.names, log: f.log.With(zap.String("upstream", u.Name), zap.String("host", b.Host)),
		settings: dns.Settings{Servers: servers, Domains: u.SearchDomains(), IPv4Only: u.IPv4Only}, once: u.IsStatic(),
	}
	w.service = !w.once && config.IsService(b.Host)
	if u.UpdateFrequency > 0 {
		w.most = min(max(u.UpdateFrequency.Std(), minRefresh), maxRefresh)
	}
	w.settings.MaxAge = w.most
	return w
}

// Look-ups are made again within these bounds.
const (
	minRefresh = 5 * time.Second
	maxRefresh = 5 * time.Minute
)

func isLiteral(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
