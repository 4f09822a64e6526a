package control

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pingap/config"
	"pingap/control/source"
)

// threadPriorities are policy, nice value and slice of every thread of this process, each once.
func threadPriorities() []string {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return []string{err.Error()}
	}
	seen := map[string]bool{}
	for _, t := range threads {
		id, _ := strconv.Atoi(t.Name())
		attr, err := unix.SchedGetAttr(id, 0)
		if err != nil {
			continue // it has ended
		}
		seen[fmt.Sprintf("policy %d nice %d", attr.Policy, attr.Nice)] = true
	}
	return sorted(seen)
}

func TestValidateChildGivesWayToRequests(t *testing.T) {
	path := t.TempDir() + "/p.toml"
	if err := os.WriteFile(path, []byte(base+"[plugins.p]\ncategory = \"priority\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := validator{exe: "/proc/self/exe"}
	r, err := v.run(t.Context(), Job{Location: source.Location{Path: path}, Threads: -1, Workers: -1}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	want := fmt.Sprintf("policy %d nice %d", unix.SCHED_BATCH, min(niceValue()+niceStep, 19))
	if got := strings.Join(r.Warnings, "\n"); !strings.HasSuffix(got, "["+want+"]") {
		t.Errorf("got %q, want all threads to have %s", got, want)
	}
}

// reportPriority is a check that finds what its process may take from others.
func reportPriority() []config.PluginProblem {
	return []config.PluginProblem{{Message: fmt.Sprint(threadPriorities()), Warning: true}}
}
