package upstream

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// lookupTimeout bounds the resolving of one name, with all its search domains.
	lookupTimeout = 5 * time.Second
	// A name that failed is tried again after minRetry, then twice as long each time up to maxRetry.
	minRetry = time.Second
	maxRetry = 30 * time.Second
	// defaultLookups is how many names of one upstream are resolved at once.
	defaultLookups = 4
)

// names resolves the names of an upstream in a goroutine of its own: all of them at once at the
// start, then those that failed until they resolve, and all again with every refresh.
type names struct {
	upstream *Upstream
	hosts    []string
	network  string
	lookup   lookupFunc
	refresh  time.Duration // 0: never again once resolved
	lookups  chan struct{} // bounds what is resolved at once
	ready    chan struct{} // closed after the first round
	done     chan struct{} // closed when the goroutine has ended
	cancel   context.CancelFunc

	resolved map[string][]netip.Addr // guarded by Upstream.mu
	failing  map[string]bool         // names told to be failing; guarded by Upstream.mu
}

func newNames(u *Upstream, hosts []string, opt Options, lookup lookupFunc) *names {
	n := &names{
		upstream: u, hosts: hosts, network: "ip", lookup: lookup, refresh: refreshOf(u.Config),
		lookups: opt.Lookups, ready: make(chan struct{}), done: make(chan struct{}),
		resolved: map[string][]netip.Addr{}, failing: map[string]bool{},
	}
	if u.Config.IPv4Only {
		n.network = "ip4"
	}
	if n.lookups == nil {
		n.lookups = make(chan struct{}, defaultLookups)
	}
	return n
}

// start starts the goroutine; stop ends it.
func (n *names) start() {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	go n.run(ctx)
}

func (n *names) stop() {
	n.cancel()
	<-n.done
}

func (n *names) run(ctx context.Context) {
	defer close(n.done)
	failed := n.round(ctx, n.hosts)
	close(n.ready)
	retry := minRetry
	due := n.nextRefresh()
	for {
		if len(failed) == 0 && n.refresh == 0 {
			return
		}
		wait := time.Until(due)
		if len(failed) > 0 {
			wait = min(wait, retry)
		}
		if !sleep(ctx, wait) {
			return
		}
		hosts := failed
		if !time.Now().Before(due) {
			hosts, due = n.hosts, n.nextRefresh()
		}
		if failed = n.round(ctx, hosts); len(failed) > 0 {
			retry = min(2*retry, maxRetry)
			continue
		}
		retry = minRetry
	}
}

// nextRefresh is up to a tenth early, so that upstreams and workers do not ask all at once.
func (n *names) nextRefresh() time.Time {
	const never = 100 * 365 * 24 * time.Hour
	if n.refresh == 0 {
		return time.Now().Add(never)
	}
	return time.Now().Add(n.refresh - time.Duration(rand.Int64N(int64(n.refresh)/10)))
}

// sleep waits and reports true, or false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// round resolves hosts, some at once, and returns those that failed. It waits for all of them; what
// resolves is in the set at once.
func (n *names) round(ctx context.Context, hosts []string) []string {
	var wait sync.WaitGroup
	failures := make([]bool, len(hosts))
	for i, host := range hosts {
		select {
		case n.lookups <- struct{}{}:
		case <-ctx.Done():
			wait.Wait()
			return nil
		}
		wait.Go(func() { // ends with the look-up, which lookupTimeout and ctx bound
			defer func() { <-n.lookups }()
			addrs, err := n.resolve(ctx, host)
			failures[i] = err != nil
			if ctx.Err() == nil {
				n.learn(host, addrs, err)
			}
		})
	}
	wait.Wait()
	var failed []string
	for i, host := range hosts {
		if failures[i] {
			failed = append(failed, host)
		}
	}
	return failed
}

// resolve returns the addresses of a host in a fixed order.
func (n *names) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var first error
	for _, name := range candidates(n.upstream.Config, host) {
		addrs, err := n.lookup(ctx, n.network, name)
		if err == nil && len(addrs) == 0 {
			err = &net.DNSError{Err: "no addresses", Name: name, IsNotFound: true}
		}
		if err == nil {
			return normalAddrs(addrs), nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

func normalAddrs(addrs []netip.Addr) []netip.Addr {
	out := make([]netip.Addr, 0, len(addrs))
	for _, a := range addrs {
		out = append(out, a.Unmap())
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// learn takes the result for one host into the set. A host that fails keeps the addresses it had,
// unless the name is known to be gone and others have backends.
func (n *names) learn(host string, addrs []netip.Addr, err error) {
	u := n.upstream
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil {
		n.tellLocked(host, err)
		if !isGone(err) || len(n.resolved[host]) == 0 || !n.othersLocked(host) {
			return
		}
		addrs = nil
	} else if n.failing[host] {
		delete(n.failing, host)
		u.logger.Info("name of a backend resolves again", zap.String("upstream", u.Name), zap.String("host", host))
	}
	if slices.Equal(n.resolved[host], addrs) {
		return
	}
	n.resolved[host] = addrs
	u.rebuildLocked()
	u.logger.Info("backends of a name changed", zap.String("upstream", u.Name), zap.String("host", host),
		zap.Int("addresses", len(addrs)))
}

// tellLocked warns once about a host that fails, until it resolves again.
func (n *names) tellLocked(host string, err error) {
	if n.failing[host] {
		return
	}
	n.failing[host] = true
	n.upstream.logger.Warn("name of a backend does not resolve", zap.String("upstream", n.upstream.Name),
		zap.String("host", host), zap.Int("addresses_kept", len(n.resolved[host])), zap.Error(err))
}

// othersLocked reports whether there are backends that do not come from host.
func (n *names) othersLocked(host string) bool {
	for _, b := range n.upstream.backends {
		if b.Network == "unix" || isLiteral(b.Host) || b.Host != host && len(n.resolved[b.Host]) > 0 {
			return true
		}
	}
	return false
}

// isGone reports whether a name server said that there is no such name.
func isGone(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}
