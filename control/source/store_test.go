package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func openStore(t *testing.T, l Location) Store {
	t.Helper()
	s, err := OpenStore(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// stores are one of each kind that has a history.
func stores(t *testing.T) map[string]func(t *testing.T) Store {
	return map[string]func(t *testing.T) Store{
		"files": func(t *testing.T) Store {
			return openStore(t, Location{Path: filepath.Join(t.TempDir(), "conf"), Separation: true, History: true})
		},
		"etcd": func(t *testing.T) Store {
			_, loc := newEtcd(t, "?enable_history=true")
			return openStore(t, loc)
		},
	}
}

func TestWritesAreConditional(t *testing.T) {
	ctx := context.Background()
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			if items, err := s.List(ctx); err != nil || len(items) != 0 || s.Layout() != ByItem {
				t.Fatalf("%v, %v", items, err)
			}
			const key = "servers/a.toml"
			if err := Put(ctx, s, key, []byte("1"), ""); err != nil {
				t.Fatal(err)
			}
			if err := Put(ctx, s, key, []byte("2"), ""); !errors.Is(err, ErrConflict) {
				t.Errorf("a second time where nothing was expected: %v", err)
			}
			one, found, err := s.Get(ctx, key)
			if err != nil || !found || string(one.Data) != "1" {
				t.Fatalf("%+v, %v", one, err)
			}
			// One that conflicts keeps the others from being written.
			if err := s.Txn(ctx, Op{Key: "servers/b.toml", Data: []byte("b")}, Op{Key: key, Data: []byte("x"), Rev: "1"}); !errors.Is(err, ErrConflict) {
				t.Errorf("together with a conflict: %v", err)
			}
			if err := s.Txn(ctx, Op{Key: "servers/b.toml", Data: []byte("b")}, Op{Key: key, Data: []byte("3"), Rev: one.Rev}); err != nil {
				t.Fatal(err)
			}
			items, err := s.List(ctx)
			if err != nil || len(items) != 2 || items[0].Key != key || string(items[0].Data) != "3" || items[1].Key != "servers/b.toml" {
				t.Errorf("%v, %v", items, err)
			}
			if err := s.Txn(ctx, Op{Key: key, Rev: one.Rev}); !errors.Is(err, ErrConflict) {
				t.Errorf("delete what was changed: %v", err)
			}
			if err := s.Txn(ctx, Op{Key: key, Rev: items[0].Rev}); err != nil {
				t.Fatal(err)
			}
			if _, found, err := s.Get(ctx, key); found || err != nil {
				t.Errorf("deleted, and found: %v", err)
			}
			for _, bad := range []string{"../a.toml", "/a.toml", "servers/../../a.toml", "servers/a\x00.toml", "servers/a", ""} {
				if err := Put(ctx, s, bad, []byte("x"), ""); !errors.Is(err, ErrName) {
					t.Errorf("%q: %v", bad, err)
				}
			}
		})
	}
}

func TestOneOfManyWritersWins(t *testing.T) {
	ctx := context.Background()
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			if err := Put(ctx, s, "basic.toml", []byte("0"), ""); err != nil {
				t.Fatal(err)
			}
			now, _, err := s.Get(ctx, "basic.toml")
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var won []int
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					err := Put(ctx, s, "basic.toml", fmt.Append(nil, i+1), now.Rev)
					if err != nil && !errors.Is(err, ErrConflict) {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						won = append(won, i+1)
					}
				})
			}
			wg.Wait()
			last, _, err := s.Get(ctx, "basic.toml")
			if err != nil || len(won) != 1 || string(last.Data) != fmt.Sprint(won[0]) {
				t.Errorf("won %v, holds %q, %v", won, last.Data, err)
			}
		})
	}
}

func TestWhatIsOverwrittenIsKeptAndComesBack(t *testing.T) {
	ctx := context.Background()
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			const key = "servers/a.toml"
			rev := ""
			for i := range 3 {
				if err := Put(ctx, s, key, fmt.Appendf(nil, "text %d", i), rev); err != nil {
					t.Fatal(err)
				}
				item, _, err := s.Get(ctx, key)
				if err != nil {
					t.Fatal(err)
				}
				rev = item.Rev
			}
			all, err := s.History(ctx, key)
			if err != nil || len(all) == 0 {
				t.Fatalf("%v, %v", all, err)
			}
			first := all[len(all)-1]
			if string(first.Data) != "text 0" || time.Since(first.At) > time.Hour {
				t.Errorf("%+v", all)
			}
			if err := Restore(ctx, s, key, "nothing"); err == nil {
				t.Error("what was never kept was restored")
			}
			if err := Restore(ctx, s, key, first.ID); err != nil {
				t.Fatal(err)
			}
			if item, _, err := s.Get(ctx, key); err != nil || string(item.Data) != "text 0" {
				t.Errorf("%q, %v", item.Data, err)
			}
			items, err := s.List(ctx)
			if err != nil || len(items) != 1 {
				t.Errorf("the history is part of the configuration: %v, %v", items, err)
			}
		})
	}
}

func TestOldHistoryIsRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "conf")
	s := &fileStore{loc: Location{Path: dir, Separation: true, History: true}, kind: ByItem}
	for i := range 15 {
		if err := s.keep("servers/a.toml", fmt.Append(nil, i), time.Unix(int64(1000+i), 0)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir+"-history", "servers-a.toml-x-5"), "not ours")
	all, err := s.History(context.Background(), "servers/a.toml")
	if err != nil || len(all) != 10 || string(all[0].Data) != "14" || string(all[9].Data) != "5" {
		t.Errorf("%v, %v", all, err)
	}
	entries, err := os.ReadDir(dir + "-history")
	if err != nil || len(entries) != 11 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	if info, err := os.Stat(filepath.Join(dir+"-history", "servers-a.toml-1014")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}

	etc, loc := newEtcd(t, "?enable_history=true")
	store := openStore(t, loc)
	for i := range 15 {
		now, _, err := store.Get(context.Background(), "basic.toml")
		if err != nil {
			t.Fatal(err)
		}
		if err := Put(context.Background(), store, "basic.toml", fmt.Append(nil, i), now.Rev); err != nil {
			t.Fatal(err)
		}
	}
	all, err = store.History(context.Background(), "basic.toml")
	if err != nil || len(all) != 10 || string(all[0].Data) != "13" || string(all[9].Data) != "4" {
		t.Errorf("%v, %v", all, err)
	}
	if keys := ctl(t, etc, "get", "--prefix", "--keys-only", "/pingap-history/"); len(strings.Fields(keys)) != 10 {
		t.Errorf("keys: %s", keys)
	}
}

func TestFilesAreReplacedAndStayWhatTheyAre(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "real.toml")
	write(t, path, "1")
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	link(t, "real.toml", filepath.Join(dir, "p.toml"))
	s := openStore(t, Location{Path: filepath.Join(dir, "p.toml")})
	if s.Layout() != Single {
		t.Fatal(s.Layout())
	}
	if err := Put(context.Background(), s, "p.toml", []byte("2"), revision([]byte("1"))); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if data, rerr := os.ReadFile(path); err != nil || rerr != nil || string(data) != "2" || info.Mode().Perm() != 0o604 {
		t.Errorf("%q, %v, %v %v", data, info.Mode(), err, rerr)
	}
	if info, err := os.Lstat(filepath.Join(dir, "p.toml")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info, err)
	}
	if err := Put(context.Background(), s, "real.toml", []byte("2"), ""); !errors.Is(err, ErrName) {
		t.Errorf("another file: %v", err)
	}
}

func TestLayoutsKnowTheirKeys(t *testing.T) {
	for _, c := range []struct {
		layout Layout
		key    string
		want   bool
	}{
		{Single, "any", true},
		{ByType, "servers.toml", true},
		{ByType, "basic.toml", true},
		{ByType, "servers/a.toml", false},
		{ByType, "conf.d/x.toml", false},
		{ByItem, "basic.toml", true},
		{ByItem, "servers/a.toml", true},
		{ByItem, "servers.toml", false},
		{ByItem, "basic/a.toml", false},
		{ByItem, "servers/a/b.toml", false},
		{ByItem, "servers/a", false},
		{ByItem, "other/a.toml", false},
	} {
		if got := c.layout.Canonical(c.key); got != c.want {
			t.Errorf("%d %s: %v", c.layout, c.key, got)
		}
	}
	for _, name := range []string{"", ".a", "a/b", `a\b`, "a\x00"} {
		if key, err := ByItem.KeyOf("servers", name); !errors.Is(err, ErrName) {
			t.Errorf("%q became %q, %v", name, key, err)
		}
	}
}
