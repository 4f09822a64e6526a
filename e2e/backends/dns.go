package backends

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// Fault is a way in which a DNS server does not answer as it should.
type Fault int

// The faults.
const (
	Healthy    Fault = iota
	Silent           // no answer at all
	ServFail         // SERVFAIL
	Refused          // REFUSED
	NoEDNS           // FORMERR for questions with EDNS, as old servers have it
	Truncated        // by UDP nothing but the bit TC; by TCP the answer
	Cut              // as Truncated, and TCP connections are closed
	WrongID          // somebody else's answers, with a wrong id, before the right one
	WrongName        // answers to another question, before the right one
	Forged           // wrong ids only
	Garbage          // bytes that are no message, before the right answer
	Lame             // a referral to other servers
	UpperCase        // owners of records in upper case
	OnlyA            // SERVFAIL for AAAA
	OnlyNames        // aliases without what they lead to
	OtherFirst       // records of other names before those that were asked for
)

// DNS is a name server of the test's own, by UDP and TCP on one port.
type DNS struct {
	Addr netip.AddrPort

	mu      sync.Mutex
	zone    map[string][]dns.RR // by absolute name in lower case; a name without records exists all the same
	faults  map[string]Fault    // by name; "" is for all others
	rotate  map[string]int      // how many records of a name an answer has
	turn    map[string]int
	queries map[string]int // by "name TYPE"
	tcp     int
}

// StartDNS starts a server that ends with the test. It knows no name: everything is NXDOMAIN.
func StartDNS(t testing.TB) *DNS {
	t.Helper()
	d := &DNS{zone: map[string][]dns.RR{}, faults: map[string]Fault{}, rotate: map[string]int{}, turn: map[string]int{}, queries: map[string]int{}}
	pc, ln, err := listenBoth()
	if err != nil {
		t.Fatal(err)
	}
	d.Addr = netip.MustParseAddrPort(pc.LocalAddr().String())
	for _, s := range []*dns.Server{
		{PacketConn: pc, Handler: dns.HandlerFunc(d.serve)},
		{Listener: ln, Handler: dns.HandlerFunc(d.serve)},
	} {
		up := make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		done := make(chan struct{})
		go func() { // ends with Shutdown
			defer close(done)
			s.ActivateAndServe()
		}()
		<-up
		t.Cleanup(func() {
			s.Shutdown()
			<-done
		})
	}
	return d
}

// listenBoth finds a port that is free for both.
func listenBoth() (net.PacketConn, net.Listener, error) {
	const tries = 20
	var last error
	for range tries {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		pc, err := net.ListenPacket("udp", ln.Addr().String())
		if err == nil {
			return pc, ln, nil
		}
		ln.Close()
		last = err
	}
	return nil, nil, last
}

// Set gives a name these records and no others, each as a zone file has it behind the name: "60 A 127.0.0.1", "30 SRV 0 5 80 a.test.".
func (d *DNS) Set(name string, records ...string) {
	name = absolute(name)
	rrs := []dns.RR{}
	for _, text := range records {
		rr, err := dns.NewRR(name + " " + text)
		if err != nil || rr == nil {
			panic(fmt.Sprintf("record %q of %s: %v", text, name, err)) // a mistake of the test
		}
		rrs = append(rrs, rr)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.zone[name] = rrs
}

// Remove has a name answered with NXDOMAIN.
func (d *DNS) Remove(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.zone, absolute(name))
}

// Fail has questions for a name fail; "" stands for all that have no fault of their own.
func (d *DNS) Fail(name string, f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if name != "" {
		name = absolute(name)
	}
	d.faults[name] = f
}

// Rotate has each answer hold only n of a name's records, the next ones each time.
func (d *DNS) Rotate(name string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rotate[absolute(name)] = n
}

// Queries is how often a name was asked for, with a type such as "A".
func (d *DNS) Queries(name, kind string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.queries[absolute(name)+" "+kind]
}

// OverTCP is how many questions came by TCP.
func (d *DNS) OverTCP() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tcp
}

func absolute(name string) string { return strings.ToLower(dns.Fqdn(name)) }

func (d *DNS) serve(w dns.ResponseWriter, q *dns.Msg) {
	if len(q.Question) != 1 {
		return
	}
	_, tcp := w.RemoteAddr().(*net.TCPAddr)
	fault := d.note(q.Question[0], tcp)
	res := d.answer(q, fault)
	switch fault {
	case Silent:
		return
	case ServFail, Refused, NoEDNS, OnlyA:
		d.refuse(q, res, fault)
	case Truncated, Cut:
		if tcp && fault == Cut {
			w.Close()
			return
		}
		if !tcp {
			res.Answer, res.Truncated = nil, true
		}
	case WrongID, Forged, WrongName, Garbage:
		d.mislead(w, res, fault)
		if fault == Forged {
			return
		}
	}
	if !tcp && fault != Truncated {
		size := dns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
		res.Truncate(size)
	}
	w.WriteMsg(res)
}

// note counts a question and returns how it is to fail.
func (d *DNS) note(q dns.Question, tcp bool) Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := absolute(q.Name)
	d.queries[name+" "+dns.TypeToString[q.Qtype]]++
	if tcp {
		d.tcp++
	}
	if f, own := d.faults[name]; own {
		return f
	}
	return d.faults[""]
}

func (d *DNS) refuse(q, res *dns.Msg, fault Fault) {
	switch {
	case fault == ServFail, fault == OnlyA && q.Question[0].Qtype == dns.TypeAAAA:
		res.Rcode, res.Answer = dns.RcodeServerFailure, nil
	case fault == Refused:
		res.Rcode, res.Answer = dns.RcodeRefused, nil
	case fault == NoEDNS && q.IsEdns0() != nil:
		res.Rcode, res.Answer = dns.RcodeFormatError, nil
	}
}

// mislead sends what is not the answer.
func (d *DNS) mislead(w dns.ResponseWriter, res *dns.Msg, fault Fault) {
	bad := res.Copy()
	bad.Answer = nil
	if a, err := dns.NewRR(res.Question[0].Name + " 300 A 192.0.2.66"); err == nil {
		bad.Answer = []dns.RR{a}
	}
	switch fault {
	case WrongName:
		bad.Question[0].Name = "other.test."
	case Garbage:
		w.Write([]byte{1, 2, 3})
		w.Write(append([]byte{byte(res.Id >> 8), byte(res.Id), 0x81, 0x80, 0, 9, 0, 9, 0, 9, 0, 9}, 0xc0, 0x0c))
		return
	default:
		bad.Id ^= 0x5555
	}
	w.WriteMsg(bad)
}

// answer is what the zone has, with the whole chain of aliases.
func (d *DNS) answer(q *dns.Msg, fault Fault) *dns.Msg {
	d.mu.Lock()
	defer d.mu.Unlock()
	res := new(dns.Msg).SetReply(q)
	res.RecursionAvailable = fault != Lame
	if opt := q.IsEdns0(); opt != nil {
		res.SetEdns0(opt.UDPSize(), false)
	}
	if fault == Lame {
		ns, _ := dns.NewRR("test. 60 NS ns.elsewhere.test.")
		res.Ns = []dns.RR{ns}
		return res
	}
	res.Compress = true
	name := absolute(q.Question[0].Name)
	if fault == OtherFirst {
		rr, _ := dns.NewRR("unrelated.test. 60 A 192.0.2.77")
		res.Answer = append(res.Answer, rr)
	}
	for range 8 {
		records, known := d.zone[name]
		if !known {
			res.Rcode = dns.RcodeNameError
		}
		alias := d.pick(res, name, records, q.Question[0].Qtype)
		if alias == "" || fault == OnlyNames {
			break
		}
		name = alias
	}
	if fault == UpperCase {
		for _, rr := range res.Answer {
			rr.Header().Name = strings.ToUpper(rr.Header().Name)
		}
	}
	if len(res.Answer) == 0 {
		soa, _ := dns.NewRR("test. 5 SOA ns.test. root.test. 1 2 3 4 5")
		res.Ns = []dns.RR{soa}
	}
	return res
}

// pick adds the records of a type, those whose turn it is, and returns the alias where there is one.
func (d *DNS) pick(res *dns.Msg, name string, records []dns.RR, kind uint16) (alias string) {
	var fit []dns.RR
	for _, rr := range records {
		if c, is := rr.(*dns.CNAME); is {
			res.Answer = append(res.Answer, dns.Copy(rr))
			return absolute(c.Target)
		}
		if rr.Header().Rrtype == kind {
			fit = append(fit, dns.Copy(rr))
		}
	}
	n := d.rotate[name]
	if n == 0 || n >= len(fit) {
		res.Answer = append(res.Answer, fit...)
		return ""
	}
	for range n {
		res.Answer = append(res.Answer, fit[d.turn[name]%len(fit)])
		d.turn[name]++
	}
	return ""
}
