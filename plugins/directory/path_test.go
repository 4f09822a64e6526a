package directory

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"pingap/message"
)

// Whatever the path, the name is below the root, and locations have seen what it says.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", "/a/../b", "/%2e%2e/x", "/..%2f..%2fetc", "/%00", "/a%5c..%5cb", "/%%32e%%32e/", "//x//", "/.git", "/.well-known/x", "*", "/%c0%ae%c0%ae/", "/a/%2", "/…"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	const root = "/srv/root/"
	f.Fuzz(func(t *testing.T, path []byte, hidden bool) {
		if bytes.IndexByte(path, '?') >= 0 {
			return
		}
		var r message.Request
		r.SetTarget(path)
		d := &directory{hidden: hidden}
		dst, verdict := d.appendName([]byte(root), &r)
		if verdict == nameUnknown || verdict == nameForbidden {
			return
		}
		name := string(dst)
		clean := filepath.Clean(name)
		if !strings.HasPrefix(clean+"/", root) || strings.ContainsRune(name, 0) || strings.Contains(name, "//") {
			t.Fatalf("%q is %q", path, name)
		}
		if (verdict == nameDirectory) != strings.HasSuffix(name, "/") || clean != strings.TrimSuffix(name, "/") {
			t.Fatalf("%q is %q, clean %q", path, name, clean)
		}
		if slashes := bytes.Count(r.NormalPath(), []byte("/")); strings.Count(name[len(root)-1:], "/") != slashes {
			t.Fatalf("%q is %q: another number of segments than %q", path, name, r.NormalPath())
		}
		for segment := range strings.SplitSeq(name[len(root):], "/") {
			if strings.HasPrefix(segment, ".") && !hidden && segment != ".well-known" {
				t.Fatalf("%q is %q, which is hidden", path, name)
			}
		}
	})
}

func TestClimbing(t *testing.T) {
	for path, want := range map[string]bool{
		"/": false, "/a/..": false, "/a/../..": true, "/..": true, "/%2E./x": true, "/.%2e": true, "/...": false, "/a/./..//b/../..": true, "//a//..": false, "/.": false, "/%2e": false, "/..a": false,
		"/a%2f../..": false, "/%2e%2e%2e": false,
	} {
		if got := climbs([]byte(path)); got != want {
			t.Errorf("%s: %t", path, got)
		}
	}
}
