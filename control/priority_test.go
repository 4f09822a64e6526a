package control

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

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

// verdictOf is what a validate child says of a plugin of a category.
func verdictOf(t *testing.T, category string) string {
	t.Helper()
	path := t.TempDir() + "/p.toml"
	if err := os.WriteFile(path, []byte(base+"[plugins.p]\ncategory = \""+category+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := validator{exe: "/proc/self/exe"}
	r, err := v.run(t.Context(), Job{Location: source.Location{Path: path}, Threads: -1, Workers: -1}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	return strings.Join(r.Warnings, "\n")
}

// A child begins on idle cores where it can be hurried when that takes long.
func TestValidateChildGivesWayToRequests(t *testing.T) {
	hurried := fmt.Sprintf("[policy %d nice %d]", unix.SCHED_BATCH, lowered(niceValue()))
	first := hurried
	if mayHurry() {
		first = fmt.Sprintf("[policy %d nice %d]", unix.SCHED_IDLE, lowered(niceValue()))
	}
	for category, want := range map[string]string{"priority": first, "hurried": hurried} {
		if got := verdictOf(t, category); !strings.HasSuffix(got, want) {
			t.Errorf("%s: got %q, want all threads to have %s", category, got, want)
		}
	}
}

// reportPriority is a check that finds what its process may take from others.
func reportPriority() []config.PluginProblem {
	return []config.PluginProblem{{Message: fmt.Sprint(threadPriorities()), Warning: true}}
}

// reportHurry is a check that takes so long that its process is hurried. The time limit of the child bounds it.
func reportHurry() []config.PluginProblem {
	for strings.Contains(fmt.Sprint(threadPriorities()), fmt.Sprintf("policy %d ", unix.SCHED_IDLE)) {
		time.Sleep(10 * time.Millisecond)
	}
	return reportPriority()
}
