package source

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestAMixedLayoutIsNoticedAndOwnNamesAreNot(t *testing.T) {
	for _, c := range []struct {
		name, options string
		files, stale  []string
	}{
		{"by type", "", []string{"basic.toml", "servers.toml"}, nil},
		{"by type, and one by item", "", []string{"basic.toml", "servers.toml", "servers/web.toml"}, []string{"servers/web.toml"}},
		{"by item", "?separation", []string{"basic.toml", "servers/web.toml"}, nil},
		{"by item, and one by type", "?separation", []string{"basic.toml", "locations/a.toml", "servers.toml"}, []string{"servers.toml"}},
		{"somebody's own", "", []string{"10-shop.toml", "20-blog.toml"}, nil},
		{"own beside ours", "", []string{"10-shop.toml", "servers.toml"}, []string{"10-shop.toml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range c.files {
				path := filepath.Join(dir, f)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte("# x\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l, err := Parse(dir+c.options, Base{})
			if err != nil {
				t.Fatal(err)
			}
			docs, err := l.Read()
			if err != nil {
				t.Fatal(err)
			}
			if got := l.Mixed(docs); !slices.Equal(got, c.stale) {
				t.Errorf("%q, want %q", got, c.stale)
			}
		})
	}
	if got := Memory("x", "").Mixed([]Document{{Path: "x"}}); got != nil {
		t.Errorf("a text: %q", got)
	}
	l, err := Parse("etcd://localhost/pingap", Base{})
	if err != nil {
		t.Fatal(err)
	}
	docs := []Document{{Path: "etcd:/pingap/basic.toml"}, {Path: "etcd:/pingap/all.toml"}}
	if got := l.Mixed(docs); !slices.Equal(got, []string{"all.toml"}) {
		t.Errorf("etcd: %q", got)
	}
}
