package proxy

import (
	"strings"
	"testing"

	"pingap/plugins"
)

// broken is a plugin with a bug, in one of its steps.
type broken struct{ body bool }

func (b broken) Response(*plugins.Exchange) {
	if !b.body {
		panic("a bug in a step")
	}
}

func (b broken) BodyFilter(*plugins.Exchange) plugins.Filter { return b }

func (b broken) Filter(_, _ []byte, _ bool) ([]byte, error) { panic("a bug in a filter") }

func TestPanicInAPluginEndsOneRequestOnly(t *testing.T) {
	for name, b := range map[string]broken{"step": {}, "filter": {body: true}} {
		t.Run(name, func(t *testing.T) {
			back := newBackend(t, answer(ok5))
			chain := plugins.NewChain([]*plugins.Instance{{Name: "broken", Responder: b, BodyFilterer: b}})
			r := newRig(t, rigOptions{addrs: []string{back.addr()}, plugins: chain})
			for i := range 3 {
				c := r.dial().send(get)
				if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 500 ") || !strings.Contains(head, "Connection: close") {
					t.Errorf("head %q", head)
				}
				if line := r.log.wait(t, i); line.status != 500 || line.kind != "InternalError" {
					t.Errorf("log %+v", line)
				}
			}
			if n := r.up.Backends()[0].InFlight(); n != 0 {
				t.Errorf("%d requests count as in flight at the backend", n)
			}
			if got := r.p.Stats().Panics; got != 3 {
				t.Errorf("%d panics counted, want 3", got)
			}
		})
	}
}
