package imageoptim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/config"
	"pingap/plugins"
	"pingap/plugins/plugintest"
)

// rig is an instance with a maker of pictures that is told what to make.
type rig struct {
	*plugins.Instance
	t *testing.T

	mu    sync.Mutex // guards jobs
	jobs  []plugins.Picture
	makes func(plugins.Picture) ([]byte, error)
}

func newRig(t *testing.T, params map[string]any) *rig {
	t.Helper()
	r := &rig{t: t, makes: func(p plugins.Picture) ([]byte, error) { return []byte(p.To + " small"), nil }}
	services := &plugins.Services{Images: func(_ context.Context, p plugins.Picture) ([]byte, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		p.Data = bytes.Clone(p.Data)
		r.jobs = append(r.jobs, p)
		return r.makes(p)
	}}
	x, err := plugins.NewRegistry([]plugins.Factory{Factory()}, nil).WithServices(services).Build(&config.Plugin{Name: "x", Category: "image_optim", Params: params})
	if err != nil {
		t.Fatal(err)
	}
	r.Instance = x
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

const picture = "a picture of forty bytes, as is said here"

const response = "200 OK\nContent-Type: image/png\nContent-Length: 41\nETag: \"a\"\nCache-Control: max-age=60"

// serve passes a response through all steps, and returns what a cache and what the client get of the head, and the body.
func (r *rig) serve(request, response, body string, complete bool) (stored, head, sent string) {
	r.t.Helper()
	e := plugintest.New(r.t, request)
	plugintest.SetResponse(r.t, e, response)
	r.UpstreamResponder.UpstreamResponse(e)
	f := r.BodyFilterer.BodyFilter(e)
	stored = plugintest.FieldText(e.Response.Fields.List())
	r.Responder.Response(e)
	head = plugintest.FieldText(e.Response.Fields.List())
	if f == nil {
		return stored, head, body
	}
	var out []byte
	for rest := body; len(rest) > 0; rest = rest[min(7, len(rest)):] {
		var err error
		if out, err = f.Filter(out, []byte(rest[:min(7, len(rest))]), false); err != nil {
			r.t.Fatal(err)
		}
	}
	out, err := f.Filter(out, nil, true)
	if err != nil {
		r.t.Fatal(err)
	}
	if end, ok := f.(plugins.Ender); ok {
		end.End(complete)
	}
	return stored, head, string(out)
}

// settle waits until nothing is being made.
func (r *rig) settle() {
	r.t.Helper()
	o := r.UpstreamResponder.(*imageOptim)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		o.results.mu.Lock()
		n := len(o.results.making)
		o.results.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatal("still being made")
		}
	}
}

func TestThePictureIsSentSmallerOnceItIsThere(t *testing.T) {
	r := newRig(t, map[string]any{"output_types": "webp", "jpeg_quality": int64(70)})
	const get = "GET /a.png\nHost: h\nAccept: image/avif,image/webp,*/*"
	stored, head, body := r.serve(get, response, picture, true)
	if body != picture || !strings.Contains(stored, "Cache-Control: no-store") ||
		head != "Content-Type: image/png\nContent-Length: 41\nETag: \"a\"\nVary: Accept\nCache-Control: max-age=60\n" {
		t.Errorf("first: %q\n%s%s", body, stored, head)
	}
	r.settle()
	stored, head, body = r.serve(get, response, picture, true)
	if want := "ETag: W/\"a\"\nCache-Control: max-age=60\nVary: Accept\nContent-Type: image/webp\n"; body != "webp small" || head != want || stored != want {
		t.Errorf("second: %q\n%s%s", body, stored, head)
	}
	_, _, body = r.serve("GET /a.png\nHost: h", response, picture, true)
	if body != picture {
		t.Errorf("another client got %q", body)
	}
	r.settle()
	_, head, body = r.serve("GET /a.png\nHost: h\nAccept: image/webp;q=0", response, picture, true)
	if body != "png small" || !strings.Contains(head, "Content-Type: image/png\n") || !strings.Contains(head, "Vary: Accept\n") {
		t.Errorf("another client got %q\n%s", body, head)
	}
	_, head, body = r.serve(strings.Replace(get, "GET", "HEAD", 1), response, "", true)
	if body != "" || !strings.Contains(head, "image/webp") || strings.Contains(head, "Content-Length") {
		t.Errorf("HEAD: %q\n%s", body, head)
	}
	if got := fmt.Sprintf("%d %t %s %s %s", len(r.jobs), string(r.jobs[0].Data) == picture, r.jobs[0].To, r.jobs[0].From, r.jobs[1].To); got != "2 true webp png png" {
		t.Errorf("made: %s", got)
	}
}

func TestAnotherPictureIsMadeAnew(t *testing.T) {
	r := newRig(t, nil)
	for i, c := range []struct{ request, response string }{
		{"GET /a\nHost: h", response}, {"GET /b\nHost: h", response}, {"GET /a\nHost: i", response}, {"GET /a?x\nHost: h", response},
		{"GET /a\nHost: h", strings.Replace(response, `"a"`, `"b"`, 1)}, {"GET /a\nHost: h", strings.Replace(response, "png", "jpeg", 1)},
		{"GET /a\nHost: h", strings.Replace(response, "ETag: \"a\"", "Last-Modified: Mon, 06 Oct 2025 10:00:00 GMT", 1)},
	} {
		r.serve(c.request, c.response, picture, true)
		r.settle()
		if len(r.jobs) != i+1 {
			t.Fatalf("%d: %d pictures made", i, len(r.jobs))
		}
		if _, _, body := r.serve(c.request, c.response, picture, true); !strings.HasSuffix(body, "small") {
			t.Errorf("%d: got %q", i, body)
		}
	}
	if r.jobs[5].Quality != 80 {
		t.Errorf("quality %d", r.jobs[5].Quality)
	}
}

func TestOriginalsPass(t *testing.T) {
	cases := []struct{ name, request, response string }{
		{"another type", "GET /", strings.Replace(response, "png", "gif", 1)},
		{"another status", "GET /", strings.Replace(response, "200 OK", "404 Not Found", 1)},
		{"part", "GET /", strings.Replace(response, "200 OK", "206 Part", 1) + "\nContent-Range: bytes 0-40/99"},
		{"encoded", "GET /", response + "\nContent-Encoding: br"},
		{"no-transform", "GET /", response + ", no-transform"},
		{"no-transform of the request", "GET /\nCache-Control: no-transform", response},
		{"no validator", "GET /", strings.Replace(response, "ETag", "X", 1)},
		{"no length", "GET /", strings.Replace(response, "Content-Length: 41", "", 1)},
		{"too long", "GET /", strings.Replace(response, "41", "5000000", 1)},
		{"method", "POST /", response},
	}
	for _, c := range cases {
		r := newRig(t, nil)
		for range 2 {
			if _, _, body := r.serve(c.request, c.response, picture, true); body != picture {
				t.Errorf("%s: got %q", c.name, body)
			}
			r.settle()
		}
		if len(r.jobs) > 0 {
			t.Errorf("%s: made", c.name)
		}
	}
}

func TestWhatIsNotGainedIsNotTriedAgainAndWhatWasNotThereIs(t *testing.T) {
	for _, c := range []struct {
		name     string
		makes    func(plugins.Picture) ([]byte, error)
		complete bool
		want     int
	}{
		{"larger", func(p plugins.Picture) ([]byte, error) { return append(p.Data, 'x'), nil }, true, 1},
		{"as large", func(p plugins.Picture) ([]byte, error) { return p.Data, nil }, true, 1},
		{"refused", func(plugins.Picture) ([]byte, error) { return nil, errors.New("not such a picture") }, true, 1},
		{"not available", func(plugins.Picture) ([]byte, error) { return nil, fmt.Errorf("x: %w", plugins.ErrUnavailable) }, true, 3},
		{"cut off", func(plugins.Picture) ([]byte, error) { return []byte("x"), nil }, false, 0},
	} {
		r := newRig(t, nil)
		r.makes = c.makes
		for range 3 {
			if _, head, body := r.serve("GET /", response, picture, c.complete); body != picture || !strings.Contains(head, "ETag: \"a\"") {
				t.Errorf("%s: %q\n%s", c.name, body, head)
			}
			r.settle()
		}
		if len(r.jobs) != c.want {
			t.Errorf("%s: %d times", c.name, len(r.jobs))
		}
	}
}

func TestResultsAreBounded(t *testing.T) {
	r := newRig(t, map[string]any{"max_memory": "1mib"})
	large := bytes.Repeat([]byte("x"), 300_000)
	r.makes = func(plugins.Picture) ([]byte, error) { return large, nil }
	body := strings.Repeat("y", 400_000)
	head := strings.Replace(response, "41", "400000", 1)
	for i := range 6 {
		r.serve(fmt.Sprintf("GET /%d", i), head, body, true)
		r.settle()
	}
	o := r.UpstreamResponder.(*imageOptim)
	if o.results.size > 1<<20 || len(o.results.known) != 3 || o.results.order.Len() != 3 {
		t.Errorf("%d bytes, %d results", o.results.size, len(o.results.known))
	}
	if _, _, got := r.serve("GET /5", head, body, true); got != string(large) {
		t.Error("the latest is gone")
	}
}

func TestSaysWhatCannotBeDone(t *testing.T) {
	got := plugintest.Check(t, Factory(), "output_types = \"avif, webp\"\navif_quality = 60\npng_quality = 70")
	var keys []string
	for _, p := range got {
		if !p.Warning {
			t.Errorf("%+v", p)
		}
		keys = append(keys, p.Key)
	}
	if strings.Join(keys, " ") != "output_types png_quality avif_quality" {
		t.Errorf("warns of %v", keys)
	}
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: `output_types = "gif"`, Key: "output_types", Message: "expected a comma list of webp, avif, png and jpeg"},
		{Table: `jpeg_quality = 0`, Key: "jpeg_quality", Message: "expected 1 to 100, found 0"},
		{Table: `avif_speed = 11`, Key: "avif_speed", Message: "expected 1 to 10, found 11"},
		{Table: `max_size = "1gib"`, Key: "max_size", Message: "expected 1 byte to 32mib"},
		{Table: `max_memory = 1`, Key: "max_memory", Message: "expected 1mib to 1tib"},
		{Table: `step = "response"`, Key: "step", Message: "image_optim acts at upstream_response"},
	})
}

func TestWithoutAMakerAndForOtherResponsesNothingIsAllocated(t *testing.T) {
	x := plugintest.Build(t, Factory(), `output_types = "webp"`)
	e := plugintest.New(t, "GET /")
	plugintest.SetResponse(t, e, "200 OK\nContent-Type: text/html\nETag: \"a\"\nCache-Control: max-age=1")
	if n := testing.AllocsPerRun(100, func() {
		x.UpstreamResponder.UpstreamResponse(e)
		if x.BodyFilterer.BodyFilter(e) != nil {
			t.Error("taken")
		}
		x.Responder.Response(e)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
