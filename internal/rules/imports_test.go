package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// arrow says what the packages that match from may import of ours. A pattern is a folder, or a folder with /* for
// everything below it. The first arrow whose from matches counts.
type arrow struct {
	from string
	to   []string
}

// arrows are the ones of docs/architecture.md.
func arrows() []arrow {
	return []arrow{
		{from: "config", to: []string{"config/*"}},
		{from: "config/adminaddr", to: []string{"config/credential"}}, // 0027
		{from: "config/text", to: []string{"config/internal/places"}}, // 0026
		{from: "config/*"},
		{from: "ipc"},
		{from: "message"},
		{from: "arena"},
		{from: "arena/*", to: []string{"arena"}},
		{from: "telemetry", to: []string{"config", "telemetry/*"}},
		{from: "telemetry/*"},
		{from: "worker/http1", to: []string{"message"}},
		{from: "worker/http2/*", to: []string{"message", "worker/http2/*"}},
		{from: "worker/proxy", to: []string{"worker/*", "plugins", "message", "config", "telemetry"}},
		{from: "worker/upstream", to: []string{"config", "config/*", "message", "telemetry", "arena", "arena/*", "worker/secure", "worker/proxyproto", "worker/queue",
			"worker/upstream/*"}}, // 0010, 0015, 0016
		{from: "worker/bodyparts", to: []string{"worker/eventstream", "worker/grpc"}},                                                 // 0016
		{from: "worker/errorpage", to: []string{"worker/http1"}},                                                                      // 0016
		{from: "worker/mirror", to: []string{"message", "worker/upstream", "worker/http1", "worker/http2/client", "worker/routines"}}, // 0016
		{from: "worker/endpoints", to: []string{"config", "ipc", "arena", "worker/upstream"}},                                         // 0015
		{from: "worker/cache", to: []string{"message", "config", "worker/cache/*", "worker/tally"}},                                   // 0017, 0022
		{from: "worker/pictures", to: []string{"ipc"}},                                                                                // 0018
		{from: "worker/explain", to: []string{"message", "plugins", "worker/proxy", "worker/upstream"}},                               // 0026
		{from: "worker/tail", to: []string{"message", "ipc", "worker/accesslog"}},                                                     // 0029
		{from: "worker/*", to: []string{"config", "config/*", "message", "arena", "arena/*", "telemetry"}},
		{from: "worker", to: []string{"worker/*", "plugins", "ipc", "arena", "config", "config/*", "telemetry", "message"}},
		{from: "plugins/cache", to: []string{"plugins", "message", "config", "arena", "worker/cache", "worker/cache/*", "worker/tally"}},
		{from: "plugins/admin", to: []string{"plugins", "message", "config", "config/credential", "arena"}}, // 0027
		{from: "plugins/*", to: []string{"plugins", "message", "config", "arena"}},
		{from: "plugins", to: []string{"message", "config", "arena"}},
		{from: "control/endpoints", to: []string{"config", "ipc", "arena", "arena/*", "telemetry", "control/discovery", "control/health"}}, // 0014
		{from: "control/events", to: []string{"config", "ipc"}},                                                                            // 0022
		{from: "control/images", to: []string{"ipc", "control/rlimits"}},                                                                   // 0018
		{from: "control/transfer", to: []string{"config", "control/source"}},                                                               // 0023
		{from: "control/admin/api"}, // 0026
		{from: "control/admin", to: []string{"config", "config/*", "ipc", "control/*"}}, // 0026
		{from: "control/admin/*", to: []string{"config", "config/*", "ipc", "control/admin/api", "control/source", "control/transfer", "control/history",
			"control/summary"}}, // 0026
		{from: "control/summary", to: []string{"config", "ipc"}},                                                              // 0026
		{from: "control/recent", to: []string{"config", "ipc", "arena", "arena/*", "control/endpoints", "control/admin/api"}}, // 0026
		{from: "control/tail", to: []string{"config", "ipc", "control/admin/api"}},                                            // 0026
		{from: "control/web", to: []string{"ipc"}},                                                                            // 0022
		{from: "control/metrics", to: []string{"ipc", "config", "arena", "arena/*", "control/endpoints"}},                     // 0022
		{from: "control/fleet", to: []string{"control/acme", "control/source/etcd"}},                                          // 0030
		{from: "control/source", to: []string{"config", "config/*", "control/source/etcd"}},                                   // 0023
		{from: "control/*", to: []string{"config", "config/*", "telemetry", "arena", "arena/*"}},
		{from: "control", to: []string{"control/*", "ipc", "arena", "arena/*", "config", "config/*", "telemetry"}},
		{from: "supervisor", to: []string{"supervisor/*", "ipc", "arena", "telemetry", "config"}},
		{from: "supervisor/archive", to: []string{"ipc", "telemetry", "config"}}, // 0024
		{from: "supervisor/*", to: []string{"supervisor/*", "ipc", "telemetry"}},
		{from: "cmd/pingap", to: []string{"*"}},
		{from: "bench", to: []string{"e2e/load", "e2e/backends"}},
		{from: "e2e", to: []string{"e2e/load", "e2e/backends", "e2e/etcd"}},
		{from: "e2e/protocols", to: []string{"e2e/pebble"}},
		{from: "e2e/*"},
		{from: "packaging", to: []string{"config"}},
		{from: "internal/*"},
	}
}

func matches(pattern, folder string) bool {
	if pattern == "*" {
		return true
	}
	if below, ok := strings.CutSuffix(pattern, "/*"); ok {
		return strings.HasPrefix(folder, below+"/")
	}
	return pattern == folder
}

// owner is the package that a folder belongs to: what lies in the internal folder of a package is part of it.
func owner(folder string) string {
	before, _, found := strings.Cut(folder, "/internal/")
	if found {
		return before
	}
	return folder
}

// checkImports reports imports that no arrow allows, and folders that no arrow names.
func checkImports(tr *tree) []string {
	var problems []string
	for _, s := range tr.sources {
		a, ok := arrowFrom(owner(s.pkg))
		if !ok {
			problems = append(problems, fmt.Sprintf("%s: folder %s is not in the list of arrows", s.path, s.pkg))
			continue
		}
		for _, imp := range s.imports {
			folder, ours := strings.CutPrefix(imp, module+"/")
			if ours && owner(folder) != owner(s.pkg) && !a.allows(folder) {
				problems = append(problems, fmt.Sprintf("%s: %s may not import %s", s.path, s.pkg, folder))
			}
		}
	}
	return problems
}

func arrowFrom(folder string) (arrow, bool) {
	for _, a := range arrows() {
		if matches(a.from, folder) {
			return a, true
		}
	}
	return arrow{}, false
}

func (a arrow) allows(folder string) bool {
	for _, pattern := range a.to {
		if matches(pattern, folder) {
			return true
		}
	}
	return false
}

func TestImportsFollowTheArrows(t *testing.T) {
	report(t, checkImports(readTree(t)))
}

func TestAForbiddenImportIsFound(t *testing.T) {
	for _, c := range []struct{ file, imp, want string }{
		{"config/a.go", "pingap/ipc", "config may not import ipc"},
		{"supervisor/a.go", "pingap/worker", "supervisor may not import worker"},
		{"worker/http1/a.go", "pingap/config", "worker/http1 may not import config"},
		{"plugins/ping/a.go", "pingap/plugins/mock", "plugins/ping may not import plugins/mock"},
		{"somewhere/a.go", "fmt", "somewhere is not in the list"},
	} {
		problems := checkImports(snippet(t, c.file, "package a\nimport _ \""+c.imp+"\"\n"))
		if len(problems) != 1 || !strings.Contains(problems[0], c.want) {
			t.Errorf("%s importing %s: got %q, want %q", c.file, c.imp, problems, c.want)
		}
	}
}

// Every module in go.mod that we import has a reason in docs/decisions.
func TestDependenciesAreDecided(t *testing.T) {
	var decisions strings.Builder
	files, _ := filepath.Glob(filepath.Join(top(t), "docs", "decisions", "*.md"))
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		decisions.Write(text)
	}
	mod, err := os.ReadFile(filepath.Join(top(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	required := regexp.MustCompile(`(?m)^\s*(?:require )?(\S+\.\S+/\S+) v`).FindAllStringSubmatch(string(mod), -1)
	if len(required) == 0 {
		t.Fatal("no module found in go.mod")
	}
	for _, m := range required {
		if !strings.Contains(decisions.String(), m[1]) {
			t.Errorf("go.mod needs %s, docs/decisions does not say why", m[1])
		}
	}
}

// External packages stay where they were decided to be.
func TestExternalPackagesStayInTheirFolders(t *testing.T) {
	where := map[string][]string{
		"github.com/BurntSushi/toml":      {"config", "plugins/plugintest"},
		"github.com/fsnotify/fsnotify":    {"control/source"},
		"go.uber.org/zap":                 {"plugins", "plugins/*", "telemetry", "supervisor", "supervisor/*", "control", "control/*", "worker", "worker/*", "cmd/pingap"},
		"github.com/cloudflare/tableflip": {"cmd/pingap"},
		"github.com/golang-jwt/jwt/v5":    {"plugins/jwt"},
		"golang.org/x/crypto/argon2":      {"control/admin/auth", "cmd/pingap"}, // 0027
		"golang.org/x/crypto/acme":        {"control/acme"},
		"golang.org/x/net/idna":           {"control/acme"},
		"golang.org/x/net/publicsuffix":   {"control/acme"},
		"golang.org/x/net/http2":          {"e2e/load"}, // a judge that nobody here wrote
		"golang.org/x/net/netutil":        {"control/web"},
		"golang.org/x/net/dns/dnsmessage": {"control/discovery/*"},
		"github.com/miekg/dns":            {"e2e/backends"},                   // one more
		"github.com/oschwald":             {"plugins/geo_restriction"},        // 0017
		"github.com/maxmind":              {"plugins/geo_restriction", "e2e"}, // 0017, in tests
		"github.com/maypok86/otter/v2":    {"worker/cache"},
		"golang.org/x/sys":                {"ipc", "arena", "arena/*", "supervisor", "supervisor/*", "control", "control/*", "worker", "worker/*", "cmd/pingap", "cmd/pingap/*", "telemetry", "telemetry/*"},
		"github.com/redis/go-redis/v9":    {"plugins/limit"},
		"go.etcd.io/etcd":                 {"control/source/etcd"}, // 0023

		"go.opentelemetry.io/otel":       {"worker/trace", "control/metrics"},                                          // 0022
		"go.opentelemetry.io/proto/otlp": {"telemetry/otlp", "worker/trace", "control/metrics", "e2e", "e2e/backends"}, // 0024; there and in tests a sink
		"google.golang.org/grpc":         {"telemetry/otlp", "worker/trace", "control/metrics", "control/source/etcd", "e2e"},
		"google.golang.org/protobuf":     {"telemetry/otlp", "worker/trace", "control/metrics", "e2e", "e2e/backends"},

		"github.com/HugoSmits86/nativewebp": {"control/images"},
		"github.com/andybalholm/brotli":     {"plugins/compression"},
		"github.com/klauspost/compress":     {"plugins/compression", "supervisor/archive", "worker/trace", "e2e", "e2e/backends"}, // 0024; there a judge
		"golang.org/x/image":                {"control/images", "e2e"},                                                            // there a judge

		"github.com/prometheus": {"control/metrics", "e2e"}, // 0022
	}
	for _, s := range readTree(t).sources {
		for _, imp := range s.imports {
			first, _, _ := strings.Cut(imp, "/")
			if !strings.Contains(first, ".") {
				continue
			}
			if !allowedExternal(where, imp, s.pkg) {
				t.Errorf("%s: %s is not decided for %s", s.path, imp, s.pkg)
			}
		}
	}
}

func allowedExternal(where map[string][]string, imp, folder string) bool {
	for mod, folders := range where {
		if imp != mod && !strings.HasPrefix(imp, mod+"/") {
			continue
		}
		for _, pattern := range folders {
			if matches(pattern, folder) {
				return true
			}
		}
	}
	return false
}
