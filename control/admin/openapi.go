package admin

import (
	_ "embed"
	"net/http"

	"pingap/control/admin/api"
)

// openapi.json describes every route in OpenAPI 3.1. TestEveryRouteIsDescribed and the tests of e2e hold it against what answers.
//
//go:embed openapi.json
var openapi string

// OpenAPI is the description of the interface.
func OpenAPI() []byte { return []byte(openapi) }

// Description is the route of openapi.json.
func Description() api.Route {
	return api.Route{Method: http.MethodGet, Path: "/openapi.json", Need: api.Reader, Serve: func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, err := w.Write(OpenAPI())
		return err
	}}
}
