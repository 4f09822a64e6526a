package control

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"go.uber.org/zap"

	"pingap/control/events"
	"pingap/ipc"
)

// telling is what the loop knows of telling people what happens.
type telling struct {
	bus  *events.Bus
	read uint64        // configurations read for where events go, so far
	last chan struct{} // closed when the one before has been told of; nil for none
}

// takeTelling makes what tells people. Its work begins with Run.
func (p *process) takeTelling() {
	p.telling.bus = events.New(events.Options{Log: p.log.Named("events"), Version: p.opt.Version})
}

// tell has events go where a configuration wants them, and then tells of these, in the order of the calls.
func (p *process) tell(snapshot *os.File, all []events.Event) {
	t := &p.telling
	t.read++
	number, before, told := t.read, t.last, make(chan struct{})
	t.last = told
	p.wg.Go(func() { // ends with reading, and with those before
		defer close(told)
		settings, err := tellingOf(snapshot)
		if before != nil {
			<-before
		}
		if err != nil {
			p.log.Error("events go where they went before", zap.Error(err))
		} else {
			t.bus.Set(number, settings)
		}
		for _, e := range all {
			t.bus.Emit(e)
		}
	})
}

func tellingOf(snapshot *os.File) (events.Settings, error) {
	_, s, err := readSnapshot(snapshot)
	if err != nil {
		return events.Settings{}, err
	}
	basic, err := s.Basic()
	if err != nil {
		return events.Settings{}, err
	}
	return events.Of(basic), nil
}

// tellApplied tells of what has become live.
func (p *process) tellApplied(lead *request, r *result, a *ipc.Applied) {
	var all []events.Event
	if !lead.boot {
		all = appliedEvents(lead.by, r, a)
	}
	p.tell(r.snapshot, all)
}

func appliedEvents(by string, r *result, a *ipc.Applied) []events.Event {
	var all []events.Event
	if r.kept != nil {
		all = append(all, events.Event{Category: events.Rollback, Level: events.Info,
			Message: fmt.Sprintf("version %d is live, a copy of version %d, by %s", a.Version, r.kept.Number, by)})
	}
	for _, text := range r.Reloaded {
		all = append(all, events.Event{Category: events.ReloadConfig, Level: events.Info, Message: text})
	}
	if r.Diff != "" {
		all = append(all, events.Event{Category: events.DiffConfig, Level: events.Info, Message: r.Diff})
	}
	return all
}

// ofCertificate finds what was said of the files of a certificate.
var ofCertificate = regexp.MustCompile(`certificates\.(\S+)\.(?:tls_cert|tls_key|tls_chain|ocsp_staple): (.*)`)

// tellRefused tells of a configuration that did not become live.
func (p *process) tellRefused(by string, b *ipc.Refused) {
	p.telling.bus.Emit(events.Event{Category: events.ReloadConfigFail, Level: events.Error,
		Message: by + ": " + strings.Join(append([]string{b.Reason}, b.Errors...), "; ")})
	var bad []string
	for _, text := range b.Errors {
		if m := ofCertificate.FindStringSubmatch(text); m != nil {
			bad = append(bad, m[2]+"("+m[1]+")")
		}
	}
	if len(bad) > 0 {
		p.telling.bus.Emit(events.Event{Category: events.ParseCertificateFail, Level: events.Error, Message: strings.Join(bad, ";")})
	}
}

// recorded tells of what the supervisor has entered into its ledger.
func (p *process) recorded(b *ipc.Recorded) {
	for i := range b.Records {
		if e, ok := events.OfRecord(&b.Records[i], os.Getppid()); ok {
			p.telling.bus.Emit(e)
		}
	}
}

// tellTurned, tellUpDown and tellProblem are for package endpoints.
func (p *process) tellTurned(upstream, address string, healthy bool) {
	e := events.Event{Category: events.BackendStatus, Level: events.Info, Title: "Upstream backend status changed", Object: upstream + "@" + address,
		Message: fmt.Sprintf("upstream %s(%s) becomes healthy", upstream, address)}
	if !healthy {
		e.Level, e.Message = events.Error, fmt.Sprintf("upstream %s(%s) becomes unhealthy", upstream, address)
	}
	p.telling.bus.Emit(e)
}

func (p *process) tellUpDown(upstream string, up bool) {
	e := events.Event{Category: events.UpstreamStatus, Level: events.Info, Title: "Upstream healthy", Message: upstream, Object: upstream}
	if !up {
		e.Level, e.Title = events.Error, "Upstream unhealthy"
	}
	p.telling.bus.Emit(e)
}

func (p *process) tellProblem(upstream, text string) {
	p.telling.bus.Emit(events.Event{Category: events.ServiceDiscoverFail, Level: events.Warn, Message: upstream + ": " + text, Object: upstream + ": " + text})
}

// tellIssued and tellNotIssued are for package acme.
func (p *process) tellIssued(domains []string) {
	p.telling.bus.Emit(events.Event{Category: events.LetsEncrypt, Level: events.Info, Title: "Generate new cert from let's encrypt",
		Message: "Domains: " + quoted(domains)})
}

func (p *process) tellNotIssued(domains []string, why string) {
	p.telling.bus.Emit(events.Event{Category: events.LetsEncrypt, Level: events.Error, Title: "No new cert from let's encrypt",
		Message: "Domains: " + quoted(domains) + ": " + why, Object: strings.Join(domains, ",")})
}

func quoted(all []string) string {
	texts := make([]string, len(all))
	for i, s := range all {
		texts[i] = fmt.Sprintf("%q", s)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// Times of looking for certificates at their end.
const (
	validityFirst = 3 * time.Second // after the start
	validityAgain = 24 * time.Hour
)

// watchValidity tells of certificates at their end, until ctx ends.
func (p *process) watchValidity(ctx context.Context) {
	for wait := validityFirst; ; {
		pause(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		list, err := (&client{p: p}).certificates(ctx)
		if err != nil {
			continue // nothing is live yet, mostly
		}
		wait = validityAgain
		if names := list.Ending(time.Now()); len(names) > 0 {
			p.telling.bus.Emit(events.Event{Category: events.TLSValidity, Level: events.Warn,
				Message: "certificate " + events.Names(names) + " will be expired"})
		}
	}
}
