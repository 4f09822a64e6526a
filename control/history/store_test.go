package history

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"

	"pingap/config"
)

// snapshot makes a configuration that differs by name.
func snapshot(t *testing.T, name string) (data []byte, sha string) {
	t.Helper()
	text := fmt.Sprintf("[basic]\nname = %q\n[upstreams.u]\naddrs = ['127.0.0.1']\n", name)
	cfg, report := config.Load([]config.Document{{Name: "t", Data: []byte(text)}}, config.Options{})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	data, sum := config.Encode(cfg)
	return data, sum.String()
}

func newStore(t *testing.T, state string) (*Store, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.WarnLevel)
	s, err := New(state, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, logs
}

// add keeps version n with contents of its own.
func add(t *testing.T, s *Store, n uint64, keep int) Version {
	t.Helper()
	data, sha := snapshot(t, fmt.Sprint(n))
	v := Version{Number: n, SHA: sha, At: time.Unix(int64(n), 0).UTC(), By: "test", Source: "/p.toml", Digest: "d", Changes: []Change{}}
	if err := s.Add(v, data, keep); err != nil {
		t.Fatal(err)
	}
	return v
}

func numbers(t *testing.T, s *Store) []uint64 {
	t.Helper()
	list, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var got []uint64
	for _, v := range list {
		got = append(got, v.Number)
	}
	return got
}

func expect(t *testing.T, s *Store, want ...uint64) {
	t.Helper()
	if got := numbers(t, s); !slices.Equal(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
}

func TestWhatIsKeptIsThereForTheNextProcess(t *testing.T) {
	state := t.TempDir()
	s, _ := newStore(t, state)
	for n := uint64(1); n <= 3; n++ {
		add(t, s, n, 20)
	}
	s.Close()
	next, logs := newStore(t, state)
	expect(t, next, 1, 2, 3)
	v, snap, err := next.Read(2)
	if err != nil {
		t.Fatal(err)
	}
	basic, err := snap.Basic()
	if err != nil || basic.Name != "2" || v.By != "test" || !v.At.Equal(time.Unix(2, 0)) || v.Size == 0 {
		t.Errorf("version %+v, basic %+v, %v", v, basic, err)
	}
	if newest, highest, err := next.Newest(); err != nil || newest.Number != 3 || highest != 3 {
		t.Errorf("newest %+v, %d, %v", newest, highest, err)
	}
	if _, _, err := next.Read(4); !errors.Is(err, ErrNotKept) {
		t.Errorf("reading what is not there: %v", err)
	}
	if logs.Len() > 0 {
		t.Errorf("warnings %v", logs.All())
	}
}

func TestNobodyElseMayReadIt(t *testing.T) {
	state := t.TempDir()
	if err := os.Mkdir(filepath.Join(state, folder), 0o755); err != nil {
		t.Fatal(err)
	}
	s, _ := newStore(t, state)
	add(t, s, 1, 20)
	for path, want := range map[string]os.FileMode{folder: 0o700, folder + "/" + name(1): 0o600, keyName: 0o600} {
		info, err := os.Stat(filepath.Join(state, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %v", path, info.Mode(), err, want)
		}
	}
}

func TestOnlyTheNewestAreKept(t *testing.T) {
	s, _ := newStore(t, t.TempDir())
	for n := uint64(1); n <= 5; n++ {
		add(t, s, n, 3)
	}
	expect(t, s, 3, 4, 5)
	add(t, s, 6, 2)
	expect(t, s, 5, 6)
	add(t, s, 7, 0)
	expect(t, s)
}

func TestTheSameVersionIsKeptOnce(t *testing.T) {
	s, _ := newStore(t, t.TempDir())
	v := add(t, s, 1, 20)
	data, sha := snapshot(t, "1")
	later := v
	later.By = "somebody else"
	if err := s.Add(later, data, 20); err != nil {
		t.Fatal(err)
	}
	if got, _, err := s.Read(1); err != nil || got.By != "test" {
		t.Errorf("%+v, %v", got, err)
	}
	other, otherSHA := snapshot(t, "other")
	if err := s.Add(Version{Number: 1, SHA: otherSHA}, other, 20); err == nil || sha == otherSHA {
		t.Error("another configuration took the number of one that is kept")
	}
}

func TestWhatIsDamagedIsLeftOutWithOneWarning(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string, data []byte){
		"empty":      func(t *testing.T, path string, _ []byte) { put(t, path, nil) },
		"cut":        func(t *testing.T, path string, data []byte) { put(t, path, data[:len(data)-1]) },
		"longer":     func(t *testing.T, path string, data []byte) { put(t, path, append(data, 'x')) },
		"no newline": func(t *testing.T, path string, _ []byte) { put(t, path, []byte(strings.Repeat("x", 2*maxHead))) },
		"another author": func(t *testing.T, path string, data []byte) {
			put(t, path, []byte(strings.Replace(string(data), `"by":"test"`, `"by":"root"`, 1)))
		},
		"a link that leads out": func(t *testing.T, path string, data []byte) {
			put(t, filepath.Join(filepath.Dir(path), "..", "away"), data)
			if err := errors.Join(os.Remove(path), os.Symlink("../away", path)); err != nil {
				t.Fatal(err)
			}
		},
		"a fifo": func(t *testing.T, path string, _ []byte) {
			if err := errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)); err != nil {
				t.Fatal(err)
			}
		},
		"another number": func(t *testing.T, path string, _ []byte) {
			first, err := os.ReadFile(strings.TrimSuffix(path, "3") + "1")
			if err != nil {
				t.Fatal(err)
			}
			put(t, path, first)
		},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			s, logs := newStore(t, state)
			for n := uint64(1); n <= 3; n++ {
				add(t, s, n, 20)
			}
			path := filepath.Join(state, folder, fmt.Sprintf("%020d", 3))
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			damage(t, path, data)
			expect(t, s, 1, 2)
			expect(t, s, 1, 2)
			if logs.Len() != 1 {
				t.Errorf("warnings %v", logs.All())
			}
			if newest, highest, err := s.Newest(); err != nil || newest.Number != 2 || highest != 3 {
				t.Errorf("newest %+v, %d, %v", newest, highest, err)
			}
			if _, _, err := s.Read(3); err == nil {
				t.Error("it can be read")
			}
			add(t, s, 4, 20)
			expect(t, s, 1, 2, 4)
		})
	}
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A bit that falls over inside of a snapshot is found when it is read.
func TestAChangedSnapshotIsNotRead(t *testing.T) {
	state := t.TempDir()
	s, _ := newStore(t, state)
	add(t, s, 1, 20)
	path := filepath.Join(state, folder, name(1))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	put(t, path, data)
	if _, _, err := s.Read(1); !errors.Is(err, config.ErrSnapshot) {
		t.Errorf("read: %v", err)
	}
}

// Without the key nobody makes a version, not even by copying one from another instance.
func TestVersionsOfAnotherKeyAreLeftOut(t *testing.T) {
	mine, other := t.TempDir(), t.TempDir()
	s, logs := newStore(t, mine)
	add(t, s, 1, 20)
	o, _ := newStore(t, other)
	add(t, o, 2, 20)
	data, err := os.ReadFile(filepath.Join(other, folder, name(2)))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(mine, folder, name(2)), data)
	expect(t, s, 1)
	if logs.Len() != 1 {
		t.Errorf("warnings %v", logs.All())
	}
}

func TestAKeyThatOthersCouldReadIsRefused(t *testing.T) {
	state := t.TempDir()
	newStore(t, state)
	if err := os.Chmod(filepath.Join(state, keyName), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := New(state, zap.NewNop())
	if err == nil {
		t.Fatal("the key was used")
	}
	if _, err := s.List(); err == nil {
		t.Error("there is a list")
	}
}

// A folder that cannot be is no reason to stop, and once it can be things are kept again.
func TestAFolderThatCannotBeOpenedIsTriedAgain(t *testing.T) {
	state := t.TempDir()
	inTheWay := filepath.Join(state, folder)
	put(t, inTheWay, nil)
	s, err := New(state, zap.NewNop())
	if err == nil {
		t.Fatal("a file was taken for the folder")
	}
	defer s.Close()
	data, sha := snapshot(t, "1")
	if err := s.Add(Version{Number: 1, SHA: sha}, data, 20); err == nil {
		t.Error("kept in a file that is in the way")
	}
	if _, _, err := s.Newest(); err == nil {
		t.Error("newest of nothing")
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	add(t, s, 1, 20)
	expect(t, s, 1)
}

func TestAFullDiskLosesNothingThatIsKept(t *testing.T) {
	state := t.TempDir()
	if err := unix.Mount("tmpfs", state, "tmpfs", 0, "size=64k,mode=0700"); err != nil {
		t.Skipf("no file system of our own: %v", err)
	}
	defer unix.Unmount(state, unix.MNT_DETACH)
	s, _ := newStore(t, state)
	defer s.Close() // before the file system goes
	add(t, s, 1, 20)
	filler := filepath.Join(state, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	data, sha := snapshot(t, "2")
	if err := s.Add(Version{Number: 2, SHA: sha}, data, 20); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("on a full disk: %v", err)
	}
	expect(t, s, 1)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	add(t, s, 2, 20)
	expect(t, s, 1, 2)
}

func TestAnotherUserIsGivenWhatIsOurs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give something away")
	}
	state := t.TempDir()
	s, _ := newStore(t, state)
	add(t, s, 1, 20)
	add(t, s, 2, 20)
	foreign := filepath.Join(state, "foreign")
	put(t, foreign, nil)
	second := filepath.Join(state, folder, name(2))
	if err := errors.Join(os.Remove(second), os.Link(foreign, second)); err != nil {
		t.Fatal(err)
	}
	const uid = 65534
	if err := s.Give(uid, uid); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]uint32{folder: uid, folder + "/" + name(1): uid, "foreign": 0, keyName: 0} {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(state, path), &st); err != nil || st.Uid != want {
			t.Errorf("%s belongs to %d (%v), want %d", path, st.Uid, err, want)
		}
	}
	add(t, s, 3, 20)
}

// The folder is closed to whoever follows, who gets it by descriptor and without a path.
func TestAStoreIsAdoptedByItsDescriptors(t *testing.T) {
	state := t.TempDir()
	s, _ := newStore(t, state)
	add(t, s, 1, 20)
	files := Files(state)
	if len(files) != 2 || Files(t.TempDir()) != nil {
		t.Fatalf("files %v", files)
	}
	if err := os.Rename(state, state+".away"); err != nil {
		t.Fatal(err)
	}
	next, err := Adopt(files[0], files[1], zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	add(t, next, 2, 20)
	expect(t, next, 1, 2)
	expect(t, s, 1, 2)
	empty, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := Adopt(empty, empty, zap.NewNop()); err == nil || s.Close() != nil {
		t.Error("adopted without a key")
	}
}

func TestChangesAreBounded(t *testing.T) {
	many := make([]Change, 10*maxObjects)
	for i := range many {
		many[i] = Change{Object: strings.Repeat("o", 1000), Keys: []Key{{Old: strings.Repeat("\x01", 5000)}, {}}}
	}
	list, more := Clip(many)
	if len(list)+more != len(many) || len(list) > maxObjects {
		t.Errorf("%d and %d more", len(list), more)
	}
	s, _ := newStore(t, t.TempDir())
	data, sha := snapshot(t, "1")
	if err := s.Add(Version{Number: 1, SHA: sha, Changes: list, More: more}, data, 20); err != nil {
		t.Fatal(err)
	}
	expect(t, s, 1)
	if list, more := Clip([]Change{{Object: "a"}}); len(list) != 1 || more != 0 {
		t.Errorf("%v and %d more", list, more)
	}
}

func TestDifferencesAreDescribed(t *testing.T) {
	load := func(text string) *config.Config {
		cfg, report := config.Load([]config.Document{{Name: "t", Data: []byte(text)}}, config.Options{})
		if err := report.Err(); err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	const u = "[upstreams.u]\naddrs = ['127.0.0.1']\n"
	got := Describe(config.Diff(load(u+"[basic]\nwebhook = 'https://a'\n[upstreams.v]\naddrs = ['127.0.0.1']\n"),
		load(u+"algo = 'least_conn'\n[basic]\nwebhook = 'https://b'\n[upstreams.w]\naddrs = ['127.0.0.1']\n")))
	want := `[{basic changed hot [{webhook [redacted] [redacted]}]} {upstream:u changed hot [{algo  "least_conn"}]} ` +
		`{upstream:v removed hot []} {upstream:w added hot []}]`
	if fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}
