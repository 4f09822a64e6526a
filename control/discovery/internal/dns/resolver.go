package dns

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// Answers hold as long as they say, within these bounds.
	minTTL = 5 * time.Second
	maxTTL = 5 * time.Minute
	// hostsTTL is for what the hosts file says.
	hostsTTL = 30 * time.Second
	// lookupTime bounds a look-up with all its domains, servers and aliases.
	lookupTime = 10 * time.Second
	// otherFamily is how long the addresses of one family wait for those of the other.
	otherFamily = time.Second
	// maxHops bounds how often an alias is asked for that an answer only names.
	maxHops = 8
	// maxServices bounds the targets of a service.
	maxServices = 1024
)

var (
	// ErrGone is for a name that does not exist, said by a name server.
	ErrGone = errors.New("there is no such name")
	// ErrEmpty is for a name that exists and has no addresses.
	ErrEmpty = errors.New("the name has no addresses")

	errCircle = errors.New("the name's aliases lead in a circle")
)

// Settings are how an upstream wants its names looked up.
type Settings struct {
	Servers  []netip.AddrPort // none: those of the system, whose hosts file comes first
	Domains  []string         // tried behind names; none: those of the system, where Servers are not given
	IPv4Only bool
	MaxAge   time.Duration // how old a cached answer may be; 0: its TTL decides alone
	// Stick is the name that answered last. While its name servers fail, no name that comes after it is taken in its place.
	Stick string
}

// Options of New. The zero value is the system's.
type Options struct {
	ResolvConf, Hosts string // files
	Lookups           int    // questions on their way at once; 0 is 64
}

// Resolver looks names up. Its methods are safe for concurrent use.
type Resolver struct {
	system *system
	cache  *cache
	slots  chan struct{}

	mu      sync.Mutex
	servers map[netip.AddrPort]*server
}

// New returns a Resolver. It has no goroutines.
func New(opt Options) *Resolver {
	const lookups = 64
	return &Resolver{
		system: newSystem(cmp.Or(opt.ResolvConf, "/etc/resolv.conf"), cmp.Or(opt.Hosts, "/etc/hosts")), cache: newCache(),
		slots: make(chan struct{}, cmp.Or(opt.Lookups, lookups)), servers: map[netip.AddrPort]*server{},
	}
}

// Address is one address of a name.
type Address struct {
	IP     netip.Addr
	Origin Origin
}

// Origin is what one question is about. What is known of an origin whose question failed is neither confirmed nor over.
type Origin struct {
	Name string
	IPv6 bool
}

// Answer is where a name, or a service, is.
type Answer struct {
	Name     string // that answered: with a search domain, where one was needed
	Addrs    []Address
	Services []Service // only of Services
	Failed   []Origin  // not found out this time
	Until    time.Time // the answer holds
}

// Addresses looks up the addresses of a host. The error is ErrGone, ErrEmpty, or what went wrong on the way.
func (r *Resolver) Addresses(ctx context.Context, s Settings, host string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	if len(s.Servers) == 0 {
		if a, known := r.local(s, host); known {
			return a, nil
		}
	}
	return r.search(ctx, s, host, r.addresses)
}

// Services looks up the SRV records of a service. Their targets are names to look up.
func (r *Resolver) Services(ctx context.Context, s Settings, name string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	return r.search(ctx, s, name, r.services)
}

// search tries a name with the domains. Errors do not end it, as a domain may be broken while others are not; the name is gone only if all say so.
func (r *Resolver) search(ctx context.Context, s Settings, host string, find func(context.Context, Settings, string) (Answer, error)) (Answer, error) {
	var failed, empty error
	for _, name := range r.candidates(s, host) {
		a, err := find(ctx, s, name)
		switch {
		case err == nil:
			a.Name = name
			return a, nil
		case errors.Is(err, ErrEmpty):
			empty = err
		case !errors.Is(err, ErrGone):
			failed = cmp.Or(failed, err)
			if name == s.Stick || ctx.Err() != nil {
				return Answer{}, failed
			}
		}
	}
	return Answer{}, cmp.Or(failed, empty, ErrGone)
}

func (r *Resolver) candidates(s Settings, host string) []string {
	domains, ndots := s.Domains, 1
	if len(domains) == 0 && len(s.Servers) == 0 {
		domains, ndots = r.system.search()
	}
	return candidates(host, domains, ndots)
}

// candidates are the absolute names to try for a host, in order. One with as many dots as ndots is tried alone first.
func candidates(host string, domains []string, ndots int) []string {
	host = strings.ToLower(host)
	if strings.HasSuffix(host, ".") {
		return []string{host}
	}
	var names []string
	for _, domain := range domains {
		names = append(names, host+"."+strings.ToLower(domain)+".")
	}
	if strings.Count(host, ".") >= ndots {
		return append([]string{host + "."}, names...)
	}
	return append(names, host+".")
}

// addresses asks for both families at once.
func (r *Resolver) addresses(ctx context.Context, s Settings, name string) (Answer, error) {
	if s.IPv4Only {
		four, err := r.family(ctx, s, name, false)
		if err == nil && len(four.Addrs) == 0 {
			err = ErrEmpty
		}
		return four, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var six Answer
	var fail4, fail6 error
	done := make(chan struct{})
	go func() { // ends with ctx at the latest; waited for
		defer close(done)
		if six, fail6 = r.family(ctx, s, name, true); fail6 == nil && len(six.Addrs) > 0 {
			time.AfterFunc(otherFamily, cancel)
		}
	}()
	four, fail4 := r.family(ctx, s, name, false)
	if fail4 == nil && len(four.Addrs) > 0 {
		time.AfterFunc(otherFamily, cancel)
	}
	<-done
	return join(name, four, six, fail4, fail6)
}

// join makes one answer of both families. That one failed matters only where the other has nothing.
func join(name string, four, six Answer, fail4, fail6 error) (Answer, error) {
	a := Answer{Addrs: append(four.Addrs, six.Addrs...), Until: four.Until}
	for _, f := range []struct {
		fail error
		six  bool
	}{{fail4, false}, {fail6, true}} {
		if f.fail != nil && !errors.Is(f.fail, ErrGone) {
			a.Failed = append(a.Failed, Origin{name, f.six})
		}
	}
	if fail4 != nil || fail6 == nil && len(six.Addrs) > 0 && (len(four.Addrs) == 0 || six.Until.Before(four.Until)) {
		a.Until = six.Until
	}
	switch {
	case len(a.Addrs) > 0:
		return a, nil
	case len(a.Failed) > 0:
		if a.Failed[0].IPv6 {
			return Answer{}, fail6
		}
		return Answer{}, fail4
	}
	return Answer{}, cmp.Or(fail4, fail6, ErrEmpty)
}

func (r *Resolver) family(ctx context.Context, s Settings, name string, six bool) (Answer, error) {
	kind := dnsmessage.TypeA
	if six {
		kind = dnsmessage.TypeAAAA
	}
	found, until, err := r.follow(ctx, s, question{name, kind})
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Until: until}
	for _, ip := range found.addrs {
		a.Addrs = append(a.Addrs, Address{ip, Origin{name, six}})
	}
	return a, nil
}

func (r *Resolver) services(ctx context.Context, s Settings, name string) (Answer, error) {
	found, until, err := r.follow(ctx, s, question{name, dnsmessage.TypeSRV})
	if err != nil {
		return Answer{}, err
	}
	if len(found.services) == 0 {
		return Answer{}, ErrEmpty
	}
	list := slices.Clone(found.services)
	if list = slices.DeleteFunc(list, func(s Service) bool { return s.Target == "." }); len(list) == 0 {
		return Answer{}, ErrGone // said to be not available (RFC 2782)
	}
	slices.SortFunc(list, Service.compare)
	return Answer{Services: list[:min(len(list), maxServices)], Until: until}, nil
}

func (s Service) compare(o Service) int {
	return cmp.Or(cmp.Compare(s.Priority, o.Priority), cmp.Compare(s.Target, o.Target), cmp.Compare(s.Port, o.Port), cmp.Compare(s.Weight, o.Weight))
}

// follow asks, and asks on where the answer only names an alias.
func (r *Resolver) follow(ctx context.Context, s Settings, q question) (reply, time.Time, error) {
	var until time.Time
	for range maxHops {
		found, at, err := r.once(ctx, s, q)
		if err != nil {
			return reply{}, until, err
		}
		if until.IsZero() || at.Before(until) {
			until = at
		}
		if found.gone {
			return reply{}, until, ErrGone
		}
		if found.alias == "" || len(found.addrs)+len(found.services) > 0 {
			return found, until, nil
		}
		q.name = found.alias
	}
	return reply{}, until, errCircle
}

// once answers one question, from the cache where it can.
func (r *Resolver) once(ctx context.Context, s Settings, q question) (reply, time.Time, error) {
	servers, id := r.serversOf(s)
	return r.cache.get(ctx, key{id, q}, s.MaxAge, func() (reply, error) {
		select {
		case r.slots <- struct{}{}:
			defer func() { <-r.slots }()
		case <-ctx.Done():
			return reply{}, ctx.Err()
		}
		return ask(ctx, servers, q)
	})
}

// serversOf returns whom to ask, and a text that is the same for the same servers.
func (r *Resolver) serversOf(s Settings) ([]*server, string) {
	const most = 1024 // servers remembered
	list := s.Servers
	if len(list) == 0 {
		list = r.system.servers()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.servers) > most {
		clear(r.servers)
	}
	var out []*server
	var id strings.Builder
	for _, addr := range list {
		if r.servers[addr] == nil {
			r.servers[addr] = &server{addr: addr}
		}
		out = append(out, r.servers[addr])
		id.WriteString(addr.String() + ",")
	}
	return out, id.String()
}
