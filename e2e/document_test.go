package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// rows returns the cells of all table rows below a heading of a document, without the head of the table.
func rows(t *testing.T, document, heading string) [][]string {
	t.Helper()
	_, section, found := strings.Cut(read(t, document), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", document, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var list [][]string
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		var cells []string
		for _, c := range strings.Split(strings.Trim(line, "|"), " | ") {
			cells = append(cells, strings.TrimSpace(c))
		}
		list = append(list, cells)
	}
	if len(list) < 2 {
		t.Fatalf("%s: no table below %q", document, heading)
	}
	return list[1:]
}

// testExists looks for a test function in the test files of a folder.
func testExists(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(t *testing.T) {") {
			return true
		}
	}
	return false
}

// Every difference that is in effect names tests, and the tests exist.
func TestEveryDifferenceIsHeldByATest(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^([a-z0-9_/]+):(Test[A-Za-z0-9_]+)$`)
	table := rows(t, "../docs/compatibility.md", "In effect now")
	if len(table) < 25 {
		t.Errorf("only %d rows", len(table))
	}
	for _, cells := range table {
		if len(cells) != 4 {
			t.Errorf("%q has %d cells, want 4", cells[0], len(cells))
			continue
		}
		for held := range strings.SplitSeq(cells[3], ", ") {
			m := name.FindStringSubmatch(held)
			if m == nil {
				t.Errorf("%q is held by %q, want folder:Test", cells[0], held)
			} else if !testExists(t, m[1], m[2]) {
				t.Errorf("%q is held by %s, which does not exist", cells[0], held)
			}
		}
	}
	if testExists(t, "e2e", "TestThatNobodyWrote") {
		t.Error("a test that nobody wrote was found")
	}
}

// What comes later says with what.
func TestEveryLaterDifferenceSaysWhatItComesWith(t *testing.T) {
	t.Parallel()
	for _, cells := range rows(t, "../docs/compatibility.md", "Later") {
		if len(cells) != 4 || cells[3] == "" {
			t.Errorf("row %q", cells)
		}
	}
}

// keysOf collects the names of all fields in a JSON value.
func keysOf(value any, into map[string]bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, field := range v {
			into[name] = true
			keysOf(field, into)
		}
	case []any:
		for _, element := range v {
			keysOf(element, into)
		}
	}
}

// docs/operations.md explains every field that status prints, also those that only appear when something went wrong.
func TestEveryFieldOfStatusIsDocumented(t *testing.T) {
	t.Parallel()
	i := start(t, mockConf(freePort(t), "x"))
	victim := i.status().workers()[0]
	signalPID(t, victim.PID, syscall.SIGKILL)
	i.eventually("a successor", func() error { return i.restarted(victim, "killed") })
	write(t, i.conf, "broken")
	i.verb("reload")
	var all any
	if err := json.Unmarshal([]byte(i.verb("status", "--json").stdout), &all); err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	keysOf(all, fields)
	if len(fields) < 30 || !fields["last_exit"] || !fields["refused"] {
		t.Errorf("fields: %v", fields)
	}
	_, section, _ := strings.Cut(read(t, "../docs/operations.md"), "\n## Reading status\n")
	for name := range fields {
		if !strings.Contains(section, "`"+name+"`") {
			t.Errorf("docs/operations.md does not explain %s", name)
		}
	}
}

// The exit codes in the document are those of the binary's own help.
func TestExitCodesAreDocumented(t *testing.T) {
	t.Parallel()
	help := command(t, workDir(t), "--help").stdout
	text := read(t, "../docs/operations.md")
	for code, word := range []string{"done", "rejected", "usage", "no answer in time", "not running"} {
		contains(t, help, fmt.Sprintf("%d %s", code, word))
		contains(t, text, fmt.Sprintf("\n| %d | ", code))
	}
}
