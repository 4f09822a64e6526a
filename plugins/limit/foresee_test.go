package limit

import (
	"strings"
	"testing"

	"pingap/plugins/plugintest"
)

func TestForeseeingTakesNothing(t *testing.T) {
	for table, want := range map[string]string{
		"max = 2\ninterval = \"1h\"":            "of 2 are used",
		"max = 2\ntype = \"inflight\"":          "of 2 are in process",
		"max = 2\nheaders = true":               "of 2 are used",
		"max = 2\ntag = \"query\"\nkey = \"k\"": "nothing that it is counted by",
	} {
		i := serve(t, table, workers(t, 1))[0]
		for range 5 {
			e := plugintest.New(t, "GET / HTTP/1.1\nHost: a")
			f := i.Foresee(e)
			if f.Unknown || f.Answer != nil || !strings.Contains(f.Why, want) {
				t.Fatalf("%s: %+v", table, f)
			}
			if e.HasEnd() {
				t.Fatalf("%s: something waits for the end", table)
			}
		}
	}
}

func TestForeseeingSaysWhatWouldBeRefused(t *testing.T) {
	for _, table := range []string{"max = 2\ninterval = \"1h\"", "max = 2\ntype = \"inflight\""} {
		i := serve(t, table, workers(t, 1))[0]
		for n := range 3 {
			e := plugintest.New(t, "GET / HTTP/1.1\nHost: a")
			f, d := i.Foresee(e), i.Decider.Decide(e)
			if (f.Answer == nil) != (d.Answer == nil) || (f.Answer == nil) != (n < 2) {
				t.Fatalf("%s, request %d: foreseen %+v, decided %+v", table, n, f, d)
			}
			if f.Answer != nil && f.Answer.Status != d.Answer.Status {
				t.Errorf("%s: foreseen %d, decided %d", table, f.Answer.Status, d.Answer.Status)
			}
		}
	}
}

func TestWithoutAWorkerALimitIsUnknown(t *testing.T) {
	for _, table := range []string{"max = 2", "max = 2\ntype = \"inflight\""} {
		i := plugintest.Build(t, Factory(), table)
		if f := i.Foresee(plugintest.New(t, "GET / HTTP/1.1\nHost: a")); !f.Unknown {
			t.Errorf("%s: %+v", table, f)
		}
	}
}
