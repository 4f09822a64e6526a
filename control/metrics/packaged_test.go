package metrics

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

// packaged is a file that packages bring.
func packaged(t *testing.T, name string) (path string, text []byte) {
	t.Helper()
	path = filepath.Join("..", "..", "packaging", "monitoring", name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, text
}

// The dashboard and the alerts use what there is, with labels that it has.
func TestDashboardAndAlertsUseMetricsThatExist(t *testing.T) {
	families, err := counted(t).Gather(context.Background(), "s")
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]map[string]bool{}
	for _, f := range families {
		name := f.GetName()
		labels[name] = map[string]bool{}
		for _, l := range f.Metric[len(f.Metric)-1].Label {
			labels[name][l.GetName()] = true
		}
		if f.GetType() == dto.MetricType_HISTOGRAM {
			labels[name+"_bucket"] = labels[name]
		}
	}
	used := regexp.MustCompile(`(pingap_[a-z0-9_]+)(\{[^}]*\})?`)
	matcher := regexp.MustCompile(`([a-z]+)(?:=~|=|!=)`)
	for _, file := range []string{"dashboard.json", "alerts.yaml"} {
		_, text := packaged(t, file)
		found := used.FindAllSubmatch(text, -1)
		if len(found) < 10 {
			t.Errorf("%s: only %d metrics", file, len(found))
		}
		for _, use := range found {
			has := labels[string(use[1])]
			if has == nil {
				t.Errorf("%s: there is no %s", file, use[1])
				continue
			}
			for _, m := range matcher.FindAllSubmatch(use[2], -1) {
				if !has[string(m[1])] {
					t.Errorf("%s: %s has no label %s", file, use[1], m[1])
				}
			}
		}
	}
}

func TestTheDashboardIsOne(t *testing.T) {
	_, text := packaged(t, "dashboard.json")
	var d struct {
		Title  string
		Panels []struct {
			ID      int
			Type    string
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	known := map[int]bool{}
	for _, p := range d.Panels {
		if known[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %+v", p)
		}
		known[p.ID] = true
	}
	if d.Title == "" || len(known) < 10 {
		t.Errorf("%q with %d panels", d.Title, len(known))
	}
}

func TestPromtoolTakesAlertsAndWhatTheDashboardAsks(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	alerts, _ := packaged(t, "alerts.yaml")
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", alerts).CombinedOutput(); err != nil {
		t.Errorf("%s", out)
	}
	// What the dashboard asks is judged as rules are.
	_, text := packaged(t, "dashboard.json")
	var d struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			quoted, _ := json.Marshal(strings.ReplaceAll(q.Expr, "$__rate_interval", "5m"))
			rules.WriteString("  - {record: r" + string(rune('a'+strings.Count(rules.String(), "record")%26)) + ", expr: " + string(quoted) + "}\n")
		}
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", "--lint=none", file).CombinedOutput(); err != nil {
		t.Errorf("%s", out)
	}
}
