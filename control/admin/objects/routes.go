package objects

import (
	"net/http"

	"pingap/control/admin/api"
)

// Limits on bodies.
const (
	maxBody   = 1 << 20
	maxImport = 16 << 20
)

// Routes are what this part answers.
func (o *Objects) Routes() []api.Route {
	return []api.Route{
		get("/schema", o.getSchema),
		get("/objects", o.getObjects),
		get("/objects/{category}/{name}", o.getObject),
		tried(post("/changes", maxBody, o.postChanges)),
		get("/versions", o.getVersions),
		get("/versions/{number}", o.getVersion),
		get("/versions/{number}/diff", o.getDiff),
		tried(post("/versions/{number}/rollback", maxBody, o.postRollback)),

		get("/status", o.getStatus),
		get("/ledger", o.getLedger),
		get("/inventory", o.getInventory),
		get("/upstreams", o.getUpstreams),
		post("/upstreams/{name}/backends/{address}/{verb}", 0, o.postBackend),
		post("/workers/roll", 0, o.postRoll),

		get("/configs", o.getConfigs),
		get("/configs/full", o.getFull),
		get("/configs/{category}", o.getCategory),
		tried(post("/configs/import", maxImport, o.postImport)),
		tried(post("/configs/{category}/{name}", maxBody, o.postConfig)),
		{Method: http.MethodDelete, Path: "/configs/{category}/{name}", Need: api.Writer, Tries: true, Serve: o.deleteConfig},
		get("/config-history/{category}/{name}", o.getHistory),
		get("/certificates", o.getCertificates),
		get("/basic", o.getBasic),
		post("/restart", maxBody, o.postRestart),
		{Method: http.MethodPost, Path: "/aes", Need: api.Reader, Body: maxBody, Serve: o.postAES},
	}
}

func get(path string, serve func(http.ResponseWriter, *http.Request) error) api.Route {
	return api.Route{Method: http.MethodGet, Path: path, Need: api.Reader, Serve: serve}
}

func post(path string, body int64, serve func(http.ResponseWriter, *http.Request) error) api.Route {
	return api.Route{Method: http.MethodPost, Path: path, Need: api.Writer, Body: body, Serve: serve}
}

// tried is a route that can be tried without being done.
func tried(route api.Route) api.Route {
	route.Tries = true
	return route
}
