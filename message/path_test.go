package message

import (
	"bytes"
	"strings"
	"testing"
)

func normal(path string) string {
	var r Request
	r.SetTarget([]byte(path))
	return string(r.NormalPath())
}

func TestNormalPath(t *testing.T) {
	cases := map[string]string{
		"":              "",
		"*":             "*",
		"/":             "/",
		"/a":            "/a",
		"/a/":           "/a/",
		"/a/b.c/d":      "/a/b.c/d",
		"//":            "/",
		"//admin":       "/admin",
		"/a///b":        "/a/b",
		"/.":            "/",
		"/..":           "/",
		"/./":           "/",
		"/../":          "/",
		"/a/.":          "/a/",
		"/a/..":         "/",
		"/a/./b":        "/a/b",
		"/a/../b":       "/b",
		"/a/b/..":       "/a/",
		"/a/b/../../c":  "/c",
		"/a/../../../c": "/c",
		"/a//../b":      "/b",
		"/...":          "/...",
		"/.git/x":       "/.git/x",
		"/a../b":        "/a../b",
		"/..a/b":        "/..a/b",
		"/%61dmin":      "/admin",
		"/%2e%2E/etc":   "/etc",
		"/a/.%2e/b":     "/b",
		"/%7Euser":      "/~user",
		"/a%2Fb":        "/a%2Fb",
		"/a%20b%00":     "/a%20b%00",
		"/%252e":        "/%252e",
		"/%":            "/%",
		"/%4":           "/%4",
		"/%zz":          "/%zz",
		"/%41":          "/A",
		"/%%41":         "/%%41",
		"/%%32e":        "/%%32e",
		"/%4%31":        "/%4%31",
		"/%x%41":        "/%x%41",
		"/%xx%41":       "/%xxA",
		"/%2%65%2e/":    "/%2%65./",
		"/a%2f..%2f":    "/a%2f..%2f",
		"/a;x=1/../b":   "/b",
		"/a/..;/b":      "/a/..;/b",
	}
	for path, want := range cases {
		if got := normal(path); got != want {
			t.Errorf("%q is %q, want %q", path, got, want)
		}
	}
}

// oracle is the definition, written the slow way, for paths without a percent sign that begins no
// escape.
func oracle(path string) string {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~") {
		for _, digits := range []string{"0123456789abcdef", "0123456789ABCDEF"} {
			for _, low := range []string{"0123456789abcdef", "0123456789ABCDEF"} {
				path = strings.ReplaceAll(path, string([]byte{'%', digits[c>>4], low[c&15]}), string(c))
			}
		}
	}
	var kept []string
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s == "..":
			kept = kept[:max(len(kept)-1, 0)]
		case s != "." && s != "":
			kept = append(kept, s)
		}
		if last && (s == "" || s == "." || s == "..") && len(kept) > 0 {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}

// malformed reports whether a percent sign begins no escape.
func malformed(path string) bool {
	for i := range len(path) {
		if path[i] == '%' && (i+2 >= len(path) || Unhex(path[i+1]) < 0 || Unhex(path[i+2]) < 0) {
			return true
		}
	}
	return false
}

func FuzzNormalPath(f *testing.F) {
	for _, seed := range []string{"/", "//a/./../b", "/%2e%2e/%61", "/%%32e", "/%4%31", "/a%2F..//x/", "/%25%32%65", "/a/b/../", "*", "/.%2e/.."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if strings.Contains(path, "?") {
			return
		}
		got := normal(path)
		if !strings.HasPrefix(path, "/") {
			if got != path {
				t.Fatalf("%q became %q", path, got)
			}
			return
		}
		if again := normal(got); again != got {
			t.Fatalf("%q is %q, and that is %q", path, got, again)
		}
		if strings.Contains(got, "//") || strings.Contains(got+"/", "/./") || strings.Contains(got+"/", "/../") || got[0] != '/' {
			t.Fatalf("%q is %q", path, got)
		}
		if isNormal([]byte(path)) && got != path {
			t.Fatalf("%q is normal but became %q", path, got)
		}
		if !malformed(path) && got != oracle(path) {
			t.Fatalf("%q is %q, want %q", path, got, oracle(path))
		}
	})
}

func BenchmarkNormalPath(b *testing.B) {
	for name, path := range map[string]string{"normal": "/api/v1/users/12345/orders", "escaped": "/api/v1/%75sers/../x//y"} {
		b.Run(name, func(b *testing.B) {
			var r Request
			target := []byte(path)
			b.ReportAllocs()
			for b.Loop() {
				r.Reset()
				r.SetTarget(target)
				if len(r.NormalPath()) == 0 {
					b.Fatal("empty")
				}
			}
		})
	}
}

// What was captured from the normal path stays what it was when a rewrite makes another one.
func TestNormalPathSurvivesARewrite(t *testing.T) {
	var r Request
	r.SetTarget([]byte("//first%61/x"))
	captured := r.NormalPath()
	r.RewritePath([]byte("//second/../third"))
	if got := string(r.NormalPath()); got != "/third" {
		t.Errorf("after the rewrite %q", got)
	}
	if !bytes.Equal(captured, []byte("/firsta/x")) {
		t.Errorf("what was captured before became %q", captured)
	}
}

func TestNormalPathAllocatesNothingOnceWarm(t *testing.T) {
	var r Request
	target, other := []byte("//a/%61/../b"), []byte("/x//y")
	run := func() {
		r.Reset()
		r.SetTarget(target)
		r.NormalPath()
		r.RewritePath(other)
		r.NormalPath()
	}
	run()
	if allocs := testing.AllocsPerRun(100, run); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
