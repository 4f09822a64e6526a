package worker

import (
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"time"

	"pingap/config"
	"pingap/ipc"
	"pingap/worker/proxy"
	"pingap/worker/route"
	"pingap/worker/upstream"
)

// Bounds of asking control. It makes a page of thousands of lines in a fraction of a second.
const (
	controlConnect = 2 * time.Second
	controlRead    = 30 * time.Second
	adminRead      = 4 * time.Minute // an apply waits for the one before it and for all workers; control's own bound is shorter
	controlWrite   = 10 * time.Second
	controlIdle    = 30 * time.Second // shorter than what control allows
	controlPool    = 4                // idle connections
)

// controlName is what the log calls it where a request has an upstream; no configuration can have it.
const controlName = "pingap:control"

// web is the way to control.
type web struct{ upstreams [2]*upstream.Upstream }

// takeWeb tells all who speak to control where it is.
func (b *beside) takeWeb(p *proxy.Proxy, item *ipc.StateItem) error {
	if err := b.web.take(p, item); err != nil || item.Gone {
		b.tap.SetPlace("", nil)
		return err
	}
	b.tap.SetPlace(string(item.Body[ipc.WebToken:]), item.Body[:ipc.WebToken])
	return nil
}

// take says where control answers from now on: an item of kind ipc.StateWeb.
func (b *web) take(p *proxy.Proxy, item *ipc.StateItem) error {
	if item.Gone {
		b.become(p, nil, nil, nil)
		return nil
	}
	if item.Key != ipc.WebKey || len(item.Body) <= ipc.WebToken || item.Body[ipc.WebToken] != '@' {
		return errors.New("the place where control answers cannot be read")
	}
	place := config.Address{Network: "unix", Path: string(item.Body[ipc.WebToken:])}
	pages, err := toControl(place, controlRead)
	if err != nil {
		return err
	}
	admin, err := toControl(place, adminRead)
	if err != nil {
		pages.Close()
		return err
	}
	b.become(p, pages, admin, item.Body[:ipc.WebToken])
	return nil
}

// toControl is a way there on which answers come within a time.
func toControl(place config.Address, read time.Duration) (*upstream.Upstream, error) {
	cfg := &config.Upstream{Name: controlName, ConnectionTimeout: config.Duration(controlConnect), ReadTimeout: config.Duration(read),
		WriteTimeout: config.Duration(controlWrite), IdleTimeout: config.Duration(controlIdle), MaxIdleConnections: controlPool}
	u, err := upstream.New(cfg, upstream.Options{})
	if err != nil {
		return nil, err
	}
	u.SetEndpoints([]upstream.Endpoint{{Address: place, Weight: 1}}, nil)
	return u, nil
}

func (b *web) become(p *proxy.Proxy, pages, admin *upstream.Upstream, token []byte) {
	var inside *proxy.Inside
	if pages != nil {
		fields := proxy.InsideFields{Token: ipc.WebField, Client: ipc.WebClient, Scheme: ipc.WebScheme, Prefix: ipc.WebPrefix}
		inside = proxy.NewInside(pages, admin, fields, []byte(hex.EncodeToString(token)))
	}
	p.SetInside(inside)
	for _, u := range b.upstreams {
		if u != nil {
			u.Close()
		}
	}
	b.upstreams = [2]*upstream.Upstream{pages, admin}
}

// metricsOf is the page of metrics of a server; nil where it has none.
func metricsOf(cfg *config.Server) (*proxy.Metrics, error) {
	path, ok := cfg.MetricsPath()
	if !ok {
		return nil, nil
	}
	allow, err := route.NewTrusted(cfg.PrometheusMetricsAllow)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "trusted proxy: "))
	}
	return &proxy.Metrics{Path: path, Target: []byte(ipc.WebMetrics + url.PathEscape(cfg.Name)), Allow: allow}, nil
}
