package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"pingap/control/admin/api"
	"pingap/control/admin/objects"
	"pingap/control/endpoints"
	"pingap/ipc"
)

// Status asks all processes.
func (i interior) Status(ctx context.Context) (*ipc.StatusAll, error) {
	c := client{p: i.p}
	return answerOf[ipc.StatusAll](c.status(ctx))
}

// answerOf is an answer of the supervisor, or why there is none.
func answerOf[T any](body ipc.Body) (*T, error) {
	if answer, ok := any(body).(*T); ok {
		return answer, nil
	}
	if r, ok := body.(*ipc.Refused); ok {
		return nil, &api.Error{Status: http.StatusServiceUnavailable, Message: r.Reason, Retry: 1}
	}
	return nil, fmt.Errorf("the supervisor answered with %s", body.Type())
}

// Ledger asks the supervisor.
func (i interior) Ledger(ctx context.Context) (*ipc.History, error) {
	c := client{p: i.p}
	return answerOf[ipc.History](c.relay(ctx, ipc.HistoryRequest{}, answerTime))
}

// Inventory lists certificates.
func (i interior) Inventory(ctx context.Context) (any, error) {
	c := client{p: i.p}
	list, err := c.certificates(ctx)
	if errors.Is(err, errNothingLive) {
		err = api.Errorf(http.StatusNotFound, "%v", err)
	}
	return list, err
}

// Health lists upstreams with their backends.
func (i interior) Health(_ context.Context, upstream string) (any, error) {
	list, err := i.p.backends.List(upstream)
	if err != nil {
		return nil, api.Errorf(http.StatusNotFound, "%v", err)
	}
	return list, nil
}

// Totals counts healthy backends.
func (i interior) Totals(context.Context) []objects.Total {
	list, _ := i.p.backends.List("") // all of them are no mistake
	var all []objects.Total
	for _, u := range list.Upstreams {
		t := objects.Total{Upstream: u.Name}
		for _, b := range u.Backends {
			if !b.Absent.IsZero() {
				continue
			}
			if t.Total++; b.Health == "unhealthy" {
				t.Unhealthy = append(t.Unhealthy, b.Address)
			} else {
				t.Healthy++
			}
		}
		all = append(all, t)
	}
	return all
}

// adminChange is what became of a backend.
type adminChange struct {
	Address string `json:"address"`
	Admin   string `json:"admin"`
	Before  string `json:"before"`
	Absent  bool   `json:"absent,omitempty"`
	Problem string `json:"problem,omitempty"` // why not all workers may know
}

// Admin takes a backend out of service, or back in.
func (i interior) Admin(ctx context.Context, upstream, address string, admin ipc.Admin, by string) (any, error) {
	change, err := i.p.backends.SetAdmin(upstream, address, admin, by)
	if err != nil {
		return nil, api.Errorf(http.StatusNotFound, "%v", err)
	}
	a := adminChange{Address: change.Address, Admin: endpoints.AdminText(admin), Before: endpoints.AdminText(change.Before), Absent: change.Absent}
	ctx, cancel := context.WithTimeout(ctx, adminTime)
	defer cancel()
	if err := i.p.backends.Await(ctx); err != nil {
		a.Problem = err.Error()
	}
	return a, nil
}

// Roll has fresh workers started.
func (i interior) Roll(ctx context.Context, by string, wait bool) error {
	ask := ipc.Roll{Wait: true, RequestedBy: by}
	if !wait {
		i.p.post(ctx, func(ctx context.Context) {
			i.p.request(ctx, ask, proposeTime, func(context.Context, ipc.Body) {})
		})
		return nil
	}
	c := client{p: i.p}
	if r, refused := c.relay(ctx, ask, proposeTime).(*ipc.Refused); refused {
		return &api.Error{Status: http.StatusServiceUnavailable, Message: r.Reason, Retry: 2}
	}
	return nil
}
