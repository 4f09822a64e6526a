package acme

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"pingap/control/acme/internal/dns01"
)

const (
	lookEvery = 10 * time.Second
	// lookTimes is how often the resolver is asked for a record before the CA is told all the same: its own resolvers
	// may see what ours does not.
	lookTimes  = 10
	lookTime   = 10 * time.Second // for one question
	removeTime = 15 * time.Second // which the end of the process may have to wait
)

// Record is a TXT record that somebody has to set by hand.
type Record struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// records are the TXT records for proofs: a wildcard and its parent share a name, and have a value each.
func (a *attempt) records(proofs []proof) (map[string][]string, error) {
	records := map[string][]string{}
	for _, p := range proofs {
		value, err := a.client.DNS01ChallengeRecord(p.challenge.Token)
		if err != nil {
			return nil, err
		}
		name := "_acme-challenge." + p.domain
		records[name] = append(records[name], value)
	}
	return records, nil
}

// presentRecords sets the records of all proofs, and waits until the resolver sees them. cleanUp is never nil.
func (a *attempt) presentRecords(ctx context.Context, proofs []proof) (cleanUp func(), err error) {
	cleanUp = func() {}
	records, err := a.records(proofs)
	if err != nil || len(records) == 0 {
		return cleanUp, err
	}
	if isManual(a.wanted) {
		return a.askForRecords(ctx, records)
	}
	var removers []func(context.Context) error
	cleanUp = func() { a.removeRecords(ctx, removers) }
	for name, values := range records {
		remove, err := a.zones.Present(ctx, name, values)
		removers = append(removers, remove)
		if err != nil {
			return cleanUp, fmt.Errorf("dns provider: %w", err)
		}
	}
	if err := a.lookFor(ctx, records, lookTimes); err != nil && !errors.Is(err, errNotSeen) {
		return cleanUp, err
	}
	return cleanUp, nil
}

func isManual(w Wanted) bool {
	kind := strings.ToLower(strings.TrimSpace(w.DNSProvider))
	return w.Challenge == DNS01 && (kind == "" || kind == "manual")
}

// provider makes the provider of the wish. $ENV:NAME takes the whole address from the environment.
func (a *attempt) provider() (dns01.Provider, error) {
	text := a.wanted.DNSServiceURL.Reveal()
	if name, ok := strings.CutPrefix(text, "$ENV:"); ok {
		text = ""
		if getenv := a.manager.opt.Getenv; getenv != nil {
			text = getenv(name)
		}
		if text == "" {
			return nil, fmt.Errorf("dns_service_url: the environment has no %s", name)
		}
	}
	client := &http.Client{Transport: a.manager.opt.Transport, Timeout: requestTime}
	return dns01.New(a.wanted.DNSProvider, text, dns01.Options{Client: client, Now: a.manager.opt.Now})
}

// removeRecords removes what was set, also when the attempt was cancelled.
func (a *attempt) removeRecords(ctx context.Context, removers []func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	for _, remove := range removers {
		if err := remove(ctx); err != nil {
			a.manager.opt.Log.Warn("TXT record of a challenge could not be removed", zap.String("certificate", a.wanted.Name), zap.Error(err))
		}
	}
}

// askForRecords tells the operator what to set, and waits until it is seen.
func (a *attempt) askForRecords(ctx context.Context, records map[string][]string) (cleanUp func(), err error) {
	var needs []Record
	for name, values := range records {
		for _, value := range values {
			needs = append(needs, Record{Name: name, Value: value})
			a.manager.opt.Log.Warn("set this TXT record to get the certificate", zap.String("certificate", a.wanted.Name),
				zap.String("record", name), zap.String("value", value))
		}
	}
	slices.SortFunc(needs, func(a, b Record) int { return strings.Compare(a.Name+" "+a.Value, b.Name+" "+b.Value) })
	a.manager.setNeeds(a.job, needs)
	cleanUp = func() { a.manager.setNeeds(a.job, nil) }
	err = a.lookFor(ctx, records, int(manualTime/lookEvery))
	if errors.Is(err, errNotSeen) {
		err = fmt.Errorf("TXT records were not set: %w", err)
	}
	return cleanUp, err
}

// errNotSeen says that the resolver does not have all records.
var errNotSeen = errors.New("the resolver does not see them")

// lookFor asks the resolver for all values of all records, so many times.
func (a *attempt) lookFor(ctx context.Context, records map[string][]string, times int) error {
	for range times {
		if a.seen(ctx, records) {
			return nil
		}
		if err := sleep(ctx, a.manager.lookEvery); err != nil {
			return err
		}
	}
	return errNotSeen
}

// seen asks for all records at once.
func (a *attempt) seen(ctx context.Context, records map[string][]string) bool {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	missing := make(chan string, len(records))
	var wg sync.WaitGroup
	for name, values := range records {
		wg.Go(func() {
			got, _ := a.manager.opt.LookupTXT(ctx, name) // not there is the usual answer
			for _, v := range values {
				if !slices.Contains(got, v) {
					missing <- name
					return
				}
			}
		})
	}
	wg.Wait()
	return len(missing) == 0
}

// sleep waits, or returns why not.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
