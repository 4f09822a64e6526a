package protocols

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	cachingCases  = 157 // of kind "required", in version 0.4.5
	cachingPasses = 121 // at least; the best caches that its authors publish have 118 to 120
	cachingTime   = 5 * time.Minute
	cachingWrite  = "PROTOCOLS_WRITE_NGINX" // set: nginx's list is written anew

	// nginxPasses are the ids of required cases that nginx passes.
	nginxPasses = "testdata/caches-nginx.txt"
)

// cachingCase is one test of http-cache-tests and what became of it.
type cachingCase struct {
	ID, Kind, Result, Why string
}

// TestCaching has npm's http-cache-tests judge a location with a cache. A memory store belongs to one worker, so there is one; a file store is shared by two.
func TestCaching(t *testing.T) {
	for _, c := range []struct {
		name string
		wish wish
	}{
		{"Memory", wish{Cache: memoryCache, Workers: 1}},
		{"File", wish{Cache: fileCache, Workers: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			refuses(t, haproxy) // its cache is for small things, and is not configured here
			if c.wish.Cache == memoryCache {
				refuses(t, nginx) // it has files only
			}
			cases := runCaching(t, c.wish)
			if len(cases) != cachingCases {
				t.Errorf("%d required cases, want %d", len(cases), cachingCases)
			}
			passed := passedCases(cases)
			t.Logf("%d of %d required cases passed", len(passed), len(cases))
			if subject() == nginx {
				compareNginx(t, passed)
				return
			}
			judgeCaching(t, cases, passed)
		})
	}
}

// refusedOnPurpose are cases that nginx passes by believing what we do not.
func refusedOnPurpose() map[string]string {
	return map[string]string{
		"headers-store-Transfer-Encoding": "a response in a transfer coding that nobody knows is a 502 here, as it is in nginx since 1.23: its code says \"upstream sent unknown Transfer-Encoding\"",
	}
}

// judgeCaching fails a test whose cases do not suffice.
func judgeCaching(t *testing.T, cases []cachingCase, passed []string) {
	t.Helper()
	nginx := nginxList(t)
	for _, c := range cases {
		switch {
		case c.Result == "pass":
			if refusedOnPurpose()[c.ID] != "" {
				t.Errorf("%s passes: it needs no exception", c.ID)
			}
		case refusedOnPurpose()[c.ID] != "":
			t.Logf("%s: %s", c.ID, refusedOnPurpose()[c.ID])
		case slices.Contains(nginx, c.ID):
			t.Errorf("nginx passes %s: %s %s", c.ID, c.Result, c.Why)
		default:
			t.Logf("%s: %s %s", c.ID, c.Result, c.Why)
		}
	}
	if len(passed) < cachingPasses {
		t.Errorf("%d of %d required cases passed, want %d", len(passed), len(cases), cachingPasses)
	}
}

func passedCases(cases []cachingCase) []string {
	var ids []string
	for _, c := range cases {
		if c.Result == "pass" {
			ids = append(ids, c.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// runCaching starts origin and client, which are one process, and the proxy between them. It returns the required cases.
func runCaching(t *testing.T, w wish) []cachingCase {
	t.Helper()
	node := tool(t, "node")
	folder, err := filepath.Abs(filepath.Join(toolsDir, "node_modules", "http-cache-tests"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); err != nil {
		t.Skip("http-cache-tests is not installed (make tools)")
	}
	cmd := exec.Command(node, "testdata/caches.mjs", folder)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, printed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout = printed
	judge, err := startChild(cmd)
	printed.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := judge.stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("http-cache-tests said:\n%s", tail(complaints.String(), 4000))
		}
	})
	return talkCaching(t, w, out, stdin)
}

// talkCaching puts the proxy before the origin whose port is read, tells its address, and reads what came of the cases.
func talkCaching(t *testing.T, w wish, out *os.File, stdin io.Writer) []cachingCase {
	t.Helper()
	if err := out.SetReadDeadline(time.Now().Add(cachingTime)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(out)
	port, err := in.ReadString('\n')
	if err != nil {
		t.Fatalf("read the port of the origin: %v", err)
	}
	w.Upstream = "127.0.0.1:" + strings.TrimSpace(port)
	f := newFront(t, w)
	if _, err := fmt.Fprintf(stdin, "http://%s\n", f.Plain); err != nil {
		t.Fatal(err)
	}
	var cases []cachingCase
	if err := json.NewDecoder(in).Decode(&cases); err != nil {
		t.Fatalf("read what came of the cases: %v", err)
	}
	return slices.DeleteFunc(cases, func(c cachingCase) bool { return c.Kind != "required" })
}

// nginxList is the checked-in list of cases that nginx passes.
func nginxList(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(nginxPasses)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			ids = append(ids, line)
		}
	}
	return ids
}

const nginxHead = `# Required cases of http-cache-tests 0.4.5 that nginx passes with proxy_cache as its template in subjects_test.go has it, by
#   PROTOCOLS_SUBJECT=nginx PROTOCOLS_WRITE_NGINX=1 go test ./e2e/protocols -run TestCaching
# A case whose dependencies failed has not passed, as in the tables of the suite.
`

// compareNginx holds the list against what nginx just did, or writes it.
func compareNginx(t *testing.T, passed []string) {
	t.Helper()
	if os.Getenv(cachingWrite) != "" {
		version, err := exec.Command(daemon("nginx"), "-v").CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		text := nginxHead + "# " + string(version) + strings.Join(passed, "\n") + "\n"
		if err := os.WriteFile(nginxPasses, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := nginxList(t); !slices.Equal(passed, want) {
		t.Errorf("nginx passes\n%q\nand the list has\n%q", passed, want)
	}
}
