package endpoints

import (
	"slices"
	"strings"
	"testing"

	"pingap/control/discovery"
)

// heard is what people were told so far.
func (r *rig) heard() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.people, ", ")
}

func TestPeopleAreToldOfBackendsThatTurn(t *testing.T) {
	const a, b = "127.0.0.1:1", "127.0.0.2:1"
	r := newRig(t)
	r.apply("u: addrs = ['" + a + "', '" + b + "']; health_check = 'tcp://x'")
	if got := r.heard(); got != "" {
		t.Errorf("told of first results that are good: %s", got)
	}
	for _, c := range []struct {
		address string
		healthy bool
		want    string
	}{
		{a, false, "u 127.0.0.1:1 false"},
		{a, false, ""},
		{b, false, "u 127.0.0.2:1 false, u false"},
		{a, true, "u 127.0.0.1:1 true, u true"},
		{b, true, "u 127.0.0.2:1 true"},
		{"127.0.0.9:1", false, ""},
	} {
		r.mu.Lock()
		r.people = nil
		r.mu.Unlock()
		r.check("u", c.address, c.healthy)
		if got := r.heard(); got != c.want {
			t.Errorf("%s %t: told %q, want %q", c.address, c.healthy, got, c.want)
		}
	}
}

func TestPeopleAreToldOnceOfWhatDiscoveryMeets(t *testing.T) {
	r := newRig(t)
	r.manual = true
	if err := r.d.Stage(t.Context(), r.snapshot("u: addrs = ['a.test']; discovery = 'dns'")); err != nil {
		t.Fatal(err)
	}
	r.d.Applied()
	for _, problems := range [][]string{{"a.test: no such host"}, {"a.test: no such host"}, {}, {"a.test: no such host"}} {
		r.report("u", discovery.Update{Tried: true, Problems: problems})
	}
	want := []string{"u: a.test: no such host", "u: a.test: no such host"}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.people, want) {
		t.Errorf("told %q", r.people)
	}
}
