package dns

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// ednsSize is how much of an answer we take by UDP; with it nothing is fragmented (RFC 9715, 3.1).
	ednsSize = 1232
	// maxMessage is the longest message by UDP that is read, of servers that do not mind what we said.
	maxMessage = 4096
	// maxAliases bounds a chain of CNAMEs within one answer.
	maxAliases = 16
)

// errAnswered is what all errors are that a name server told us: it is alive.
var errAnswered = errors.New("it says")

var (
	errForeign   = errors.New("not an answer to the question")
	errTruncated = fmt.Errorf("%w that the answer is truncated, by TCP too", errAnswered)
	errFormat    = fmt.Errorf("%w that it does not understand the question", errAnswered)
	errServer    = fmt.Errorf("%w that it failed", errAnswered)
	errRefused   = fmt.Errorf("%w that it refuses", errAnswered)
	errLame      = fmt.Errorf("%w that others know", errAnswered)
)

// question is what one message asks. The name is absolute and in lower case.
type question struct {
	name string
	kind dnsmessage.Type
}

// reply is what a name server said.
type reply struct {
	addrs    []netip.Addr
	services []Service
	alias    string // the name that the answer ended at, without telling of it: to be asked next
	gone     bool   // there is no such name
	ttl      time.Duration
}

// Service is one SRV record (RFC 2782).
type Service struct {
	Target           string // absolute, in lower case
	Port             int
	Priority, Weight int
}

// pack writes the question. Without EDNS it is as old servers want it.
func (q question) pack(id uint16, edns bool) ([]byte, error) {
	name, err := dnsmessage.NewName(q.name)
	if err != nil {
		return nil, fmt.Errorf("name %q: %w", q.name, err)
	}
	b := dnsmessage.NewBuilder(make([]byte, 0, 512), dnsmessage.Header{ID: id, RecursionDesired: true})
	err = errors.Join(b.StartQuestions(), b.Question(dnsmessage.Question{Name: name, Type: q.kind, Class: dnsmessage.ClassINET}))
	if edns {
		var opt dnsmessage.ResourceHeader
		err = errors.Join(err, opt.SetEDNS0(ednsSize, dnsmessage.RCodeSuccess, false), b.StartAdditionals(), b.OPTResource(opt, dnsmessage.OPTResource{}))
	}
	if err != nil {
		return nil, fmt.Errorf("name %q: %w", q.name, err)
	}
	return b.Finish()
}

// read reads the answer to the question. errForeign is for messages that are none; they may be anybody's.
func (q question) read(message []byte, id uint16) (reply, error) {
	var p dnsmessage.Parser
	h, err := p.Start(message)
	if err != nil || !h.Response || h.ID != id || !q.isIn(&p, h) {
		return reply{}, errForeign
	}
	switch {
	case h.Truncated:
		return reply{}, errTruncated
	case h.RCode == dnsmessage.RCodeFormatError || h.RCode == dnsmessage.RCodeNotImplemented:
		return reply{}, errFormat
	case h.RCode == dnsmessage.RCodeRefused:
		return reply{}, errRefused
	case h.RCode != dnsmessage.RCodeSuccess && h.RCode != dnsmessage.RCodeNameError:
		return reply{}, errServer
	}
	var a answers
	if err := a.read(&p); err != nil {
		return reply{}, fmt.Errorf("%w what cannot be read: %w", errAnswered, err)
	}
	r, err := a.follow(q)
	if err != nil {
		return reply{}, err
	}
	found := len(r.addrs)+len(r.services) > 0
	r.gone = h.RCode == dnsmessage.RCodeNameError && !found
	if found || r.gone {
		r.alias = ""
		return r, nil
	}
	if r.alias == "" && !h.Authoritative && !h.RecursionAvailable && a.refers(&p) {
		return reply{}, errLame
	}
	return r, nil
}

// isIn says whether a message is about this question and no other. Servers that do not understand may leave the question out.
func (q question) isIn(p *dnsmessage.Parser, h dnsmessage.Header) bool {
	all, err := p.AllQuestions()
	if err != nil {
		return false
	}
	if len(all) == 0 {
		return h.RCode == dnsmessage.RCodeFormatError
	}
	asked := all[0]
	return len(all) == 1 && asked.Type == q.kind && asked.Class == dnsmessage.ClassINET && strings.EqualFold(asked.Name.String(), q.name)
}

// answers are the records of an answer by the name that they are of.
type answers struct {
	addrs    map[string][]held[netip.Addr]
	services map[string][]held[Service]
	aliases  map[string]held[string]
}

// held is a value with the time for which it holds.
type held[T any] struct {
	value T
	ttl   uint32
}

func (a *answers) read(p *dnsmessage.Parser) error {
	a.addrs, a.services, a.aliases = map[string][]held[netip.Addr]{}, map[string][]held[Service]{}, map[string]held[string]{}
	for {
		h, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return nil
		}
		if err == nil {
			err = a.record(p, h)
		}
		if err != nil {
			return err
		}
	}
}

func (a *answers) record(p *dnsmessage.Parser, h dnsmessage.ResourceHeader) error {
	owner := strings.ToLower(h.Name.String())
	if h.Class != dnsmessage.ClassINET {
		return p.SkipAnswer()
	}
	switch h.Type {
	case dnsmessage.TypeA:
		r, err := p.AResource()
		a.addrs[owner] = append(a.addrs[owner], held[netip.Addr]{netip.AddrFrom4(r.A), h.TTL})
		return err
	case dnsmessage.TypeAAAA:
		r, err := p.AAAAResource()
		a.addrs[owner] = append(a.addrs[owner], held[netip.Addr]{netip.AddrFrom16(r.AAAA).Unmap(), h.TTL})
		return err
	case dnsmessage.TypeCNAME:
		r, err := p.CNAMEResource()
		a.aliases[owner] = held[string]{strings.ToLower(r.CNAME.String()), h.TTL}
		return err
	case dnsmessage.TypeSRV:
		r, err := p.SRVResource()
		s := Service{strings.ToLower(r.Target.String()), int(r.Port), int(r.Priority), int(r.Weight)}
		a.services[owner] = append(a.services[owner], held[Service]{s, h.TTL})
		return err
	}
	return p.SkipAnswer()
}

// follow goes from the name along its aliases to what was asked for. Records of other names are nobody's.
func (a *answers) follow(q question) (reply, error) {
	r, name, least := reply{}, q.name, uint32(1<<31-1)
	for range maxAliases {
		if q.kind == dnsmessage.TypeSRV {
			r.services, least = values(a.services[name], least)
		} else {
			r.addrs, least = values(a.addrs[name], least)
			r.addrs = slices.DeleteFunc(r.addrs, func(ip netip.Addr) bool { return ip.Is4() != (q.kind == dnsmessage.TypeA) })
		}
		alias, is := a.aliases[name]
		if len(r.addrs)+len(r.services) > 0 || !is {
			if name != q.name {
				r.alias = name
			}
			r.ttl = time.Duration(least) * time.Second
			return r, nil
		}
		name, least = alias.value, min(least, ttl(alias.ttl))
	}
	return reply{}, fmt.Errorf("%w that aliases lead in a circle", errAnswered)
}

func values[T any](list []held[T], least uint32) ([]T, uint32) {
	var out []T
	for _, h := range list {
		out, least = append(out, h.value), min(least, ttl(h.ttl))
	}
	return out, least
}

// ttl is zero where the first bit is set (RFC 2181, 8).
func ttl(seconds uint32) uint32 {
	if seconds>>31 != 0 {
		return 0
	}
	return seconds
}

// refers says whether the authority section names other servers, and no SOA that would make this the last word (RFC 2308, 2.2).
func (a *answers) refers(p *dnsmessage.Parser) bool {
	for refers := false; ; {
		h, err := p.AuthorityHeader()
		if err != nil || h.Type == dnsmessage.TypeSOA {
			return refers && err != nil
		}
		refers = refers || h.Type == dnsmessage.TypeNS
		if p.SkipAuthority() != nil {
			return false
		}
	}
}
