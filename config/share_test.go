package config

import "testing"

func TestParseShare(t *testing.T) {
	for text, want := range map[string]Share{"1": Whole, "0": 0, "0.01": Whole / 100, "1%": Whole / 100, " 25 % ": Whole / 4, "1e-20": 1, "100%": Whole} {
		if s, err := ParseShare(text); err != nil || s != want {
			t.Errorf("%q: %d, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "-1", "1.01", "101%", "NaN", "Inf", "half", "1 %%"} {
		if s, err := ParseShare(text); err == nil {
			t.Errorf("%q is %v", text, s)
		}
	}
	for _, s := range []Share{0, 1, 3, Whole / 3, Whole - 1, Whole} {
		if back, err := ParseShare(s.String()); err != nil || back != s {
			t.Errorf("%d is written %s and read %d, %v", s, s, back, err)
		}
	}
}

func TestParseStatuses(t *testing.T) {
	for text, want := range map[string][2]int{"404": {404, 404}, "4xx": {400, 499}, "5XX": {500, 599}, "500-502": {500, 502}, "200 - 299": {200, 299}} {
		if first, last, err := ParseStatuses(text); err != nil || first != want[0] || last != want[1] {
			t.Errorf("%q: %d to %d, %v", text, first, last, err)
		}
	}
	for _, text := range []string{"", "xx", "6xx", "99", "600", "500-400", "-", "4xx-5xx", "4x", "1-2-3"} {
		if first, last, err := ParseStatuses(text); err == nil {
			t.Errorf("%q is %d to %d", text, first, last)
		}
	}
}

func FuzzParseShare(f *testing.F) {
	for _, s := range []string{"0.01", "1%", "1e-300", "0x1p-3", "+.5", "1_0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseShare(text)
		if err == nil && (s < 0 || s > Whole) {
			t.Errorf("%q is %d", text, s)
		}
	})
}
