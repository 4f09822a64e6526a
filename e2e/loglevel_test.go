package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// A level is hot, for one process or all, there and back; each line is at a level of its component.
func TestLevelsOfComponentsAreHot(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	n := 0
	conf := func(level string) string {
		n++
		return mockConf(addr, fmt.Sprint(n)) + fmt.Sprintf("\n[basic]\nlog_level = %q\n", level)
	}
	i := start(t, conf("info"))
	for _, c := range []struct {
		level                       string
		supervisor, control, worker bool
	}{
		{"error", false, false, false},
		{"info", true, true, true}, // that of the start
		{"off,worker=info", false, false, true},
		{"supervisor=error,info,worker=warn", false, true, false},
		{"control=off,supervisor=debug,worker=info,error", true, false, true},
		{"info", true, true, true},
	} {
		i.change(conf(c.level)) // each process is at the new level before it speaks of it, or after
		from := len(i.printed())
		i.change(conf(c.level))
		want := map[string]bool{
			"INFO configuration applied component=supervisor": c.supervisor, "INFO configuration applied component=control": c.control,
			"INFO configuration committed component=worker": c.worker,
		}
		i.eventually("lines at "+c.level, func() error {
			for line, said := range want {
				if said && !strings.Contains(i.printed()[from:], line) {
					return fmt.Errorf("no %q", line)
				}
			}
			return nil
		})
		for line, said := range want {
			if !said && strings.Contains(i.printed()[from:], line) {
				t.Errorf("at %s: %q", c.level, line)
			}
		}
	}
}
