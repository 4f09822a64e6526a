package processes

import (
	"os"
	"slices"
	"testing"
)

// The names of processes hold blanks and parentheses; ours do.
func TestStatOfAnyProcessNameIsRead(t *testing.T) {
	pid, parent, ok := parse("42 (pingap: a) (b) S 7 1 1 0")
	if !ok || pid != 42 || parent != 7 {
		t.Errorf("got %d, %d, %v", pid, parent, ok)
	}
	if _, _, ok := parse("nonsense"); ok {
		t.Error("nonsense was read")
	}
	if tree := Tree(os.Getpid()); !slices.Contains(tree, os.Getpid()) {
		t.Errorf("own tree %v is without %d", tree, os.Getpid())
	}
}
