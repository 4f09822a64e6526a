package protocols

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const conformanceTime = 4 * time.Minute

// conformanceSuite is a part of the suite: what the runner should think that the server can do.
type conformanceSuite struct {
	name     string
	features string
	cases    int // that the runner makes of it, so that none is lost unnoticed
}

func conformanceSuites() []conformanceSuite {
	return []conformanceSuite{
		{"GRPC", "versions: [HTTP_VERSION_2], protocols: [PROTOCOL_GRPC], codecs: [CODEC_PROTO], supportsTls: true", 568},
		{"GRPCWeb", "versions: [HTTP_VERSION_1, HTTP_VERSION_2], protocols: [PROTOCOL_GRPC_WEB], codecs: [CODEC_PROTO], supportsTls: true", 686},
	}
}

// TestConformance has the reference client of Connect's conformance suite talk to its reference server: every case must give what the suite
// says that it gives without a proxy. gRPC-web is translated: the server never sees it.
func TestConformance(t *testing.T) {
	runner, reference := tool(t, "connectconformance"), tool(t, "referenceserver")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range conformanceSuites() {
		t.Run(s.name, func(t *testing.T) {
			refuses(t, nginx)
			conf := filepath.Join(t.TempDir(), "features.yaml")
			if err := os.WriteFile(conf, []byte("features: {"+s.features+"}\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			env, server := []string{roleName + "=" + conformanceRole, referenceName + "=" + reference}, self
			if subject() == direct {
				env, server = nil, reference
			}
			out := runTool(t, conformanceTime, env, runner, "--mode", "server", "--conf", conf, "--", server)
			total, passed := conformanceCounts(out.text)
			if out.code != 0 || total != s.cases || passed != total {
				t.Errorf("%d of %d cases passed, %d expected, exit code %d:\n%s", passed, total, s.cases, out.code, tail(failedCases(out.text), 8000))
			}
		})
	}
}

// conformanceCounts reads the runner's last lines.
func conformanceCounts(text string) (total, passed int) {
	if m := regexp.MustCompile(`(?m)^Total cases: (\d+)$`).FindStringSubmatch(text); m != nil {
		total, _ = strconv.Atoi(m[1])
	}
	if m := regexp.MustCompile(`(?m)^(\d+) passed, (\d+) failed`).FindStringSubmatch(text); m != nil {
		passed, _ = strconv.Atoi(m[1])
	}
	return total, passed
}

// failedCases puts the names of the failed cases first.
func failedCases(text string) string {
	var names strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "FAILED: ") {
			names.WriteString(line)
		}
	}
	return text + "\n" + names.String()
}
