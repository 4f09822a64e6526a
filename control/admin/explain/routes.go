package explain

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"pingap/control/admin/api"
	"pingap/ipc"
)

// maxServer is the longest name of a server that is asked for.
const maxServer = 1024

// Asker asks a worker. What is ipc.ExplainRequest or ipc.ExplainRoutes; body and answer are JSON. An error that says what is wrong with the question
// is an *api.Error.
type Asker interface {
	Explain(ctx context.Context, what string, body []byte) ([]byte, error)
}

// Part is this part of the interface.
type Part struct{ Asker Asker }

// Routes are what it answers.
func (p *Part) Routes() []api.Route {
	return []api.Route{
		{Method: http.MethodPost, Path: "/explain", Need: api.Reader, Body: ipc.MaxExplain, Serve: p.explain},
		{Method: http.MethodGet, Path: "/routes/{server}", Need: api.Reader, Serve: p.routes},
	}
}

func (p *Part) explain(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if !json.Valid(body) {
		return api.Errorf(http.StatusBadRequest, "the body is no JSON")
	}
	return p.pass(w, r, ipc.ExplainRequest, body)
}

func (p *Part) routes(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("server")
	if len(name) > maxServer {
		return api.Errorf(http.StatusNotFound, "there is no server of that name")
	}
	body, err := json.Marshal(name)
	if err != nil {
		return err
	}
	return p.pass(w, r, ipc.ExplainRoutes, body)
}

// pass asks, and answers with what comes.
func (p *Part) pass(w http.ResponseWriter, r *http.Request, what string, body []byte) error {
	answer, err := p.Asker.Explain(r.Context(), what, body)
	if err != nil {
		return err
	}
	return api.WriteJSON(w, json.RawMessage(answer))
}
