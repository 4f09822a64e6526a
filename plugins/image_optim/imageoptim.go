package imageoptim

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"pingap/plugins"
)

const (
	maxMaxSize = 32 << 20
	minMemory  = 1 << 20
	maxMemory  = 1 << 40
	// makeTime bounds the making of one picture: it waits in line with others.
	makeTime = 30 * time.Second
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "image_optim",
		Summary:  "Sends pictures (JPEG, PNG) that are smaller and look the same.",
		Params: []plugins.Param{
			{Name: "output_types", Type: plugins.String, Help: "Comma list of the types that a picture may get, the first that the client accepts: webp (made of PNG, without loss), avif (cannot be made: passed over). Other pictures keep their type."},
			{Name: "png_quality", Type: plugins.Int, Default: int64(90), Min: 1, Max: 100, Help: "Without effect: PNG is made without loss."},
			{Name: "jpeg_quality", Type: plugins.Int, Default: int64(80), Min: 1, Max: 100, Help: "Quality of JPEG, 100 is best."},
			{Name: "avif_quality", Type: plugins.Int, Default: int64(75), Min: 1, Max: 100, Help: "Without effect: AVIF cannot be made."},
			{Name: "avif_speed", Type: plugins.Int, Default: int64(3), Min: 1, Max: 10, Help: "Without effect: AVIF cannot be made."},
			{Name: "max_size", Type: plugins.Size, Default: "4mib", Help: "Longest picture that is made anew, held in memory while it passes the first time; a longer one passes. 1 byte to 32mib."},
			{Name: "max_memory", Type: plugins.Size, Default: "64mib", Help: "Most memory for results, of one instance in each worker; the longest unused goes first. 1mib to 1tib."},
		},
		New: build,
	}
}

// imageOptim is an instance.
type imageOptim struct {
	webp        bool // PNG becomes WebP for clients that accept it
	jpegQuality int
	maxSize     int64
	warnings    []plugins.Problem

	images  func(context.Context, plugins.Picture) ([]byte, error) // nil in control
	results results
	ctx     context.Context // of what is made; ended by Close
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	o := &imageOptim{jpegQuality: int(p.Int("jpeg_quality")), maxSize: p.Size("max_size")}
	o.results.limit = p.Size("max_memory")
	problems := []error{o.readTypes(p.String("output_types"))}
	if o.maxSize < 1 || o.maxSize > maxMaxSize {
		problems = append(problems, plugins.Errorf("max_size", "expected 1 byte to 32mib"))
	}
	if o.results.limit < minMemory || o.results.limit > maxMemory {
		problems = append(problems, plugins.Errorf("max_memory", "expected 1mib to 1tib"))
	}
	if p.Step() == plugins.Response {
		problems = append(problems, plugins.Errorf("step", "image_optim acts at upstream_response"))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	for _, key := range []string{"png_quality", "avif_quality", "avif_speed"} {
		if p.Has(key) {
			o.warnings = append(o.warnings, plugins.Warnf(key, "has no effect: PNG is made without loss, AVIF cannot be made"))
		}
	}
	if services := p.Services(); services != nil {
		o.images = services.Images
	}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	return o, nil
}

// readTypes reads output_types.
func (o *imageOptim) readTypes(list string) error {
	for name := range strings.SplitSeq(list, ",") {
		switch name = strings.TrimSpace(name); name {
		case "webp":
			o.webp = true
		case "avif":
			o.warnings = append(o.warnings, plugins.Warnf("output_types", "avif cannot be made: pictures get another type, or keep theirs"))
		case "", "png", "jpeg": // what they are already
		default:
			return plugins.Errorf("output_types", "expected a comma list of webp, avif, png and jpeg")
		}
	}
	return nil
}

// Warnings are what whoever checks the configuration is told.
func (o *imageOptim) Warnings() []plugins.Problem { return o.warnings }

// BodyStep tells that bodies are taken before they are stored.
func (o *imageOptim) BodyStep() plugins.Step { return plugins.UpstreamResponse }

// Close ends what is being made.
func (o *imageOptim) Close() error {
	o.cancel()
	o.wg.Wait()
	return nil
}
