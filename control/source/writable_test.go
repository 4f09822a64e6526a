package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// plainID is a user and group without rights.
const plainID = 65534

// unprivileged runs f as somebody who is not root, on a thread that ends with it: users of threads are their own.
func unprivileged(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() { // ends with f
		runtime.LockOSThread() // and stays so
		if err := lowered(); err != nil {
			done <- err
			return
		}
		f()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// lowered makes this thread that of a user without rights, if it is root's.
func lowered() error {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, call := range []uintptr{unix.SYS_SETGROUPS, unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
		id := uintptr(plainID)
		if call == unix.SYS_SETGROUPS {
			id = 0 // of them
		}
		if _, _, e := unix.RawSyscall(call, id, id, id); e != 0 {
			return fmt.Errorf("become uid %d: %w", plainID, e)
		}
	}
	return nil
}

// owned makes a folder with a file that belong to who unprivileged is.
func owned(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		write(t, path, "# words\n")
		for p := path; p != filepath.Dir(dir); p = filepath.Dir(p) {
			if os.Geteuid() != 0 {
				break
			}
			if err := os.Chown(p, plainID, plainID); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// locked takes the right to write away from a folder's owner.
func locked(t *testing.T, dir string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) }) // so that it can be removed
}

func TestWhatCannotBeWrittenSaysSoBeforeAndAtAWrite(t *testing.T) {
	top := filepath.Join(t.TempDir(), "top")
	if err := os.Chmod(filepath.Dir(filepath.Dir(top)), 0o755); err != nil { // the one that all of the test's are in
		t.Fatal(err)
	}
	owned(t, top, "open/p.toml", "shut/p.toml", "blind/p.toml", "types/servers.toml", "items/servers/web.toml", "items/locations/all.toml", "kept/servers/web.toml", "linked/x")
	in := func(name string) string { return filepath.Join(top, name) }
	link(t, in("shut/p.toml"), in("linked/p.toml"))
	locked(t, in("shut"), 0o500)
	locked(t, in("blind"), 0o300) // it cannot be locked against other writers, nor synced
	locked(t, in("items/locations"), 0o500)
	locked(t, top, 0o500)
	for _, c := range []struct {
		name, key string
		loc       Location
		want      string // the folder; empty where it can be written
	}{
		{"a file", "p.toml", Location{Path: in("open/p.toml")}, ""},
		{"a folder", "servers.toml", Location{Path: in("types")}, ""},
		{"a file in a folder of somebody else", "p.toml", Location{Path: in("shut/p.toml")}, "may not write in " + in("shut")},
		{"a link into it", "p.toml", Location{Path: in("linked/p.toml")}, "may not write in " + in("shut")},
		{"a folder that cannot be listed", "p.toml", Location{Path: in("blind/p.toml")}, "may not write in " + in("blind")},
		{"a folder of a kind", "locations/all.toml", Location{Path: in("items"), Separation: true}, "may not write in " + in("items/locations")},
		{"no place for former contents", "servers/web.toml", Location{Path: in("kept"), Separation: true, History: true}, "may not make " + in("kept-history") + " in " + top},
		{"nothing there yet", "servers.toml", Location{Path: in("none/at/all")}, "may not make " + in("none/at/all") + " in " + top},
		{"a text", "", Location{Text: "x", Path: "--sample"}, "it is no file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			unprivileged(t, func() {
				checkDenial(t, "asked", c.loc.Writable(), c.want)
				checkDenial(t, "tried", overwrite(t.Context(), c.loc, c.key), c.want)
			})
		})
	}
}

// overwrite writes an item anew.
func overwrite(ctx context.Context, l Location, key string) error {
	s, err := OpenStore(ctx, l)
	if err != nil {
		return err
	}
	defer s.Close()
	now, _, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	return Put(ctx, s, key, []byte("# others\n"), now.Rev)
}

func checkDenial(t *testing.T, how string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (!errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: %v, want %q", how, err, want)
	}
	if strings.HasPrefix(want, "may not") && err != nil && !strings.Contains(err.Error(), "runs as "+self()+" and") {
		t.Errorf("%s: it is not said who may not: %v", how, err)
	}
}

// A service of systemd has most of the machine read-only, whatever the modes say.
func TestASandboxThatMakesTheConfigurationReadOnlyIsTold(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "p.toml"), "# words\n")
	l := Location{Path: filepath.Join(dir, "p.toml")}
	result := make(chan error)
	go func() { // ends at once
		runtime.LockOSThread() // and stays so: the thread has mounts of its own
		err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS)
		if err == nil {
			err = errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount(dir, dir, "", unix.MS_BIND, ""),
				unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		}
		if err == nil {
			checkDenial(t, "asked", l.Writable(), "ReadWritePaths="+dir)
			checkDenial(t, "tried", overwrite(t.Context(), l, "p.toml"), "ReadWritePaths="+dir)
			err = errors.Join(os.Chmod(filepath.Dir(dir), 0o755), lowered()) // it is somebody else's as well
			checkDenial(t, "both", l.Writable(), "may not write in "+dir)
			checkDenial(t, "both", l.Writable(), "ReadWritePaths="+dir)
		}
		result <- err
	}()
	if err := <-result; err != nil {
		t.Skip("mounts need rights that are not here: ", err)
	}
	if err := overwrite(t.Context(), l, "p.toml"); err != nil {
		t.Errorf("elsewhere: %v", err)
	}
}
