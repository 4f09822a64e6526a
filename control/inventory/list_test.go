package inventory

import (
	"strings"
	"testing"
	"time"

	"pingap/config"
)

func TestWhereCertificatesComeFrom(t *testing.T) {
	text := `
[certificates.a]
acme = "lets_encrypt"
domains = "a.test, b.test"
[certificates.n]
domains = "n.test"
`
	cfg, report := config.Load([]config.Document{{Name: "t.toml", Data: []byte(text)}}, config.Options{NoACME: true})
	if len(report.Errors) > 0 {
		t.Fatal(report.Errors)
	}
	data, _ := config.Encode(cfg)
	s, err := config.OpenSnapshot(data)
	if err != nil {
		t.Fatal(err)
	}
	list, err := Of(s)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	if a := list[0]; a.Source != SourceACME || !a.NotAfter.IsZero() || strings.Join(a.Domains, " ") != "a.test b.test" {
		t.Errorf("%+v", a)
	}
	if n := list[1]; n.Source != SourceNone {
		t.Errorf("%+v", n)
	}
}

func TestDaysAreWholeOnesAndBelowZeroAfterTheEnd(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	l := List{Certificates: []Certificate{{NotAfter: now.Add(47 * time.Hour)}, {NotAfter: now.Add(time.Hour)}, {NotAfter: now.Add(-time.Hour)}, {}}}
	l.Count(now)
	for i, want := range []int{1, 0, -1, 0} {
		if got := l.Certificates[i].DaysLeft; got != want {
			t.Errorf("%d: %d days, want %d", i, got, want)
		}
	}
}

func TestTheListForPeopleStaysInItsLines(t *testing.T) {
	l := List{Problem: "no\nfolder", Certificates: []Certificate{
		{Name: "a", Source: SourceACME, Domains: []string{"a.test", "b.test"}, LastError: "said\n\tno", Busy: true,
			Needs: []Record{{Name: "_acme-challenge.a.test", Value: "x\n"}}},
		{Name: "b", Source: SourceFile, NotAfter: time.Now().Add(time.Hour)},
	}}
	var out strings.Builder
	if err := l.Print(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if n := strings.Count(text, "\n"); n != 5 {
		t.Errorf("%d lines, want 5:\n%s", n, text)
	}
	for _, want := range []string{"said??no", "a.test, b.test", "now", `TXT "x\n"`, "no?folder", "file"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestCertificatesAtTheirEndAreNamedByTheirDomains(t *testing.T) {
	now, day := time.Now(), 24*time.Hour
	l := List{Certificates: []Certificate{
		{Name: "near", Domains: []string{"b.test", "a.test"}, NotAfter: now.Add(6 * day), buffer: 7 * day},
		{Name: "far", Domains: []string{"far.test"}, NotAfter: now.Add(8 * day), buffer: 7 * day},
		{Name: "over", Domains: []string{"a.test"}, NotAfter: now.Add(-day), buffer: 7 * day},
		{Name: "soon", Domains: []string{"soon.test"}, NotAfter: now.Add(90 * day), notBefore: now.Add(day), buffer: 7 * day},
		{Name: "nameless", NotAfter: now.Add(day), buffer: 2 * day},
		{Name: "none", Domains: []string{"none.test"}},
	}}
	if got := strings.Join(l.Ending(now), " "); got != "a.test b.test nameless soon.test" {
		t.Errorf("%s", got)
	}
}
