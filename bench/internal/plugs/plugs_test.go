package plugs

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestRowsAreSelectedByPartsOfTheirNames(t *testing.T) {
	for parts, want := range map[string]int{"": 17, "gzip": 4, "level 6": 4, "cache,limit": 5, "nothing": 0} {
		n := 0
		for _, r := range rows() {
			if wanted(r.name, parts) {
				n++
			}
		}
		if n != want {
			t.Errorf("%q: %d rows, want %d", parts, n, want)
		}
	}
}

func TestRowsAreUniqueAndShowThatTheyMeasureWhatTheySay(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows() {
		if seen[r.name] || strings.Contains(r.name, ",") {
			t.Errorf("%q: twice, or with a comma, which separates parts", r.name)
		}
		seen[r.name] = true
		if r.length == 0 && (r.ours.shows == nil || r.theirs.shows == nil) {
			t.Errorf("%s: neither length nor fields are checked", r.name)
		}
		if r.theirs.program == nginx && r.ours.shows == nil {
			t.Errorf("%s: nothing shows that the plugin works", r.name)
		}
	}
}

func TestConfigurationsAreComplete(t *testing.T) {
	for _, r := range rows() {
		for _, s := range []side{r.ours, r.theirs} {
			text := s.pingapConf("/dir", 4001, 4002, "127.0.0.1:4003")
			wants := []string{"127.0.0.1:4001", "127.0.0.1:4002", "/dir/access.log", s.conf}
			if s.program == nginx {
				text = s.nginxConf("/dir", 4001, 4002)
			}
			for _, p := range s.plugins {
				wants = append(wants, `"`+p+`"`)
				if name, own := strings.CutPrefix(p, "pingap:"); !own && !strings.Contains(text, "[plugins."+name+"]") {
					t.Errorf("%s: no table of plugin %s", r.name, p)
				}
			}
			for _, want := range wants {
				if !strings.Contains(text, strings.ReplaceAll(want, "{{dir}}", "/dir")) {
					t.Errorf("%s: no %q in:\n%s", r.name, want, text)
				}
			}
			if strings.Contains(text, "{{") {
				t.Errorf("%s: not filled in:\n%s", r.name, text)
			}
		}
	}
}

func TestNginxTakesItsConfigurations(t *testing.T) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	for _, r := range rows() {
		if r.theirs.program != nginx {
			continue
		}
		tools := Tools{}
		tools.Dir = t.TempDir()
		dir, err := tools.folder("theirs")
		if err != nil {
			t.Fatal(err)
		}
		if err := prepareFiles(dir); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "nginx.conf")
		if err := writeFile(path, r.theirs.nginxConf(dir, 4001, 4002)); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), program, "-t", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", r.name, err, out)
		}
	}
}

func TestFiguresSayWhetherTheGoalIsReached(t *testing.T) {
	for want, f := range map[string]Figure{
		"at most 0.80: reached":    {Name: "a", Ratio: 0.8, Goal: 0.8, Cores: 1},
		"at most 0.80: missed":     {Name: "a", Ratio: 0.81, Goal: 0.8, Cores: 1},
		"12.00*":                   {Name: "a", Ours: 12, Cores: 0.5},
		"without 7.00":             {Name: "a", Theirs: 7, againstSelf: true},
		"100 B, nginx 120 B":       {Name: "a", Bytes: 100, TheirBytes: 120},
		"FAILED: no such a plugin": {Name: "a", Failed: "no such a plugin"},
	} {
		if got := f.String(); !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}

func TestAFieldThatIsMissingIsFound(t *testing.T) {
	check := fieldIs("X-Cache", "hit")
	if check(http.Header{"X-Cache": {"hit"}}) != nil || check(http.Header{"X-Cache": {"miss"}}) == nil || check(http.Header{}) == nil {
		t.Error("misjudged")
	}
}
