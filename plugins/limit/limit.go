package limit

import (
	"errors"
	"time"

	"pingap/plugins"
)

// Bounds of a rate.
const (
	maxEvents   = 1_000_000_000
	minEvery    = time.Microsecond // between events: the arena's clock tells no less
	maxInterval = 365 * 24 * time.Hour
	maxTimeout  = 10 * time.Second
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "limit",
		Summary:  "Refuses requests above a rate, or above so many at a time, for each client address, header, cookie, query parameter or path.",
		Steps:    []plugins.Step{plugins.Request, plugins.ProxyUpstream},
		Params: []plugins.Param{
			{Name: "type", Type: plugins.String, Default: "rate", Enum: []string{"rate", "inflight"},
				Help: "What is limited: rate is requests in an interval, inflight is requests at a time."},
			{Name: "tag", Type: plugins.String, Default: "ip", Enum: []string{"ip", "header", "cookie", "query", "path"},
				Help: "By what requests are told apart: the client's address, a header, a cookie, a query parameter, or the path. A request without it is not limited."},
			{Name: "key", Type: plugins.String, Help: "Name of the header, cookie or query parameter."},
			{Name: "max", Type: plugins.Int, Required: true, Max: maxEvents, Unit: "requests",
				Help: "How many requests are let through, in each interval or at a time; 0 refuses all that are told apart."},
			{Name: "interval", Type: plugins.Duration, Default: "10s",
				Help: "For type rate: the time in which max requests become free again, one after each interval/max; at most 365 days."},
			{Name: "burst", Type: plugins.Int, Max: maxEvents, Unit: "requests",
				Help: "For type rate: how many requests may come at once after a pause. Default: max."},
			{Name: "weight", Type: plugins.Int, Default: int64(50), Max: 100, Unit: "percent",
				Help: "Accepted for configurations of Pingap and without effect: there it weighs slots of time, of which there are none here."},
			{Name: "headers", Type: plugins.Bool, Default: false,
				Help: "Tell clients in responses, too, what is left (RateLimit, RateLimit-Policy, X-RateLimit-*); refusals always do."},
			{Name: "storage", Type: plugins.String, Secret: true,
				Help: "For type rate: a Redis server that several hosts share, redis://user:password@host:6379/0, or rediss:// for TLS. Empty: the workers of this host share the limit."},
			{Name: "storage_timeout", Type: plugins.Duration, Default: "50ms",
				Help: "How long a decision waits for the storage, 1ms to 10s. After that, and until the storage answers again, the limit is kept on this host."},
		},
		New: build,
	}
}

// common is what both types have.
type common struct {
	client  client
	label   string // the name as a string of structured fields
	headers bool
	tickets pool
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	c := &common{label: quoted(p.Name()), headers: p.Bool("headers")}
	var problems []error
	var err error
	if c.client, err = newClient(p); err != nil {
		problems = append(problems, err)
	}
	var plugin plugins.Plugin
	if p.String("type") == "inflight" {
		plugin, err = newInflight(p, c)
	} else {
		plugin, err = newRate(p, c, len(problems) == 0)
	}
	if err != nil {
		problems = append(problems, err)
	}
	return plugin, errors.Join(problems...)
}
