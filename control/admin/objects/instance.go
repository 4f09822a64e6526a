package objects

import (
	"fmt"
	"net/http"
	"slices"

	"pingap/control/admin/api"
	"pingap/control/summary"
	"pingap/ipc"
)

func (o *Objects) getStatus(w http.ResponseWriter, r *http.Request) error {
	all, err := o.control.Status(r.Context())
	if err != nil {
		return err
	}
	return api.WriteJSON(w, summary.Of(all))
}

func (o *Objects) getLedger(w http.ResponseWriter, r *http.Request) error {
	ledger, err := o.control.Ledger(r.Context())
	if err != nil {
		return err
	}
	ledger.Records = orEmpty(ledger.Records)
	return api.WriteJSON(w, ledger)
}

func (o *Objects) getInventory(w http.ResponseWriter, r *http.Request) error {
	return answered(w)(o.control.Inventory(r.Context()))
}

func (o *Objects) getUpstreams(w http.ResponseWriter, r *http.Request) error {
	return answered(w)(o.control.Health(r.Context(), r.URL.Query().Get("name")))
}

// answered writes what was asked for.
func answered(w http.ResponseWriter) func(any, error) error {
	return func(value any, err error) error {
		if err != nil {
			return err
		}
		return api.WriteJSON(w, value)
	}
}

// postBackend takes a backend out of service, or back in. The verbs are those of the command line; disable and enable are down and up.
func (o *Objects) postBackend(w http.ResponseWriter, r *http.Request) error {
	verbs := map[string]ipc.Admin{"drain": ipc.AdminDrain, "down": ipc.AdminDown, "disable": ipc.AdminDown, "up": ipc.AdminUp, "enable": ipc.AdminUp}
	admin, ok := verbs[r.PathValue("verb")]
	if !ok {
		return api.Errorf(http.StatusNotFound, "expected drain, down or up, found %q", clip(r.PathValue("verb")))
	}
	api.TrailOf(r.Context()).What = fmt.Sprintf("upstream:%s backend %s %s", r.PathValue("name"), r.PathValue("address"), r.PathValue("verb"))
	return answered(w)(o.control.Admin(r.Context(), r.PathValue("name"), r.PathValue("address"), admin, api.WhoOf(r.Context()).User))
}

// postRoll starts fresh workers: 202 at once, or with ?wait the status once they serve.
func (o *Objects) postRoll(w http.ResponseWriter, r *http.Request) error {
	api.TrailOf(r.Context()).What = "roll of the workers"
	wait := slices.Contains([]string{"", "1", "true"}, r.URL.Query().Get("wait")) && r.URL.Query().Has("wait")
	if err := o.control.Roll(r.Context(), "roll by admin "+api.WhoOf(r.Context()).User, wait); err != nil {
		return err
	}
	if !wait {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	return o.getStatus(w, r)
}

// postRestart is what the original calls a restart: fresh workers, and nothing is lost.
func (o *Objects) postRestart(w http.ResponseWriter, r *http.Request) error {
	api.TrailOf(r.Context()).What = "restart: roll of the workers"
	if err := o.control.Roll(r.Context(), "restart by admin "+api.WhoOf(r.Context()).User, false); err != nil {
		return err
	}
	return done(w)
}

// done answers that there is nothing to say.
func done(w http.ResponseWriter) error {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
