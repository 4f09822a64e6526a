package rundir

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func dir(t *testing.T) string {
	t.Helper()
	path, err := os.MkdirTemp("", "pg") // socket paths have a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	return path
}

func connects(t *testing.T, path string) bool {
	t.Helper()
	c, err := net.Dial("unix", filepath.Join(path, adminSocket))
	if err != nil {
		return false
	}
	c.Close()
	return true
}

func TestTheSocketOfTheAdminInterfaceIsMadeKeptAndRemoved(t *testing.T) {
	path := dir(t)
	r, err := Open(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.OpenAdmin(-1); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(filepath.Join(path, adminSocket))
	if err != nil || info.Mode().Perm() != 0o660 || !connects(t, path) {
		t.Fatalf("%v %v", info, err)
	}
	kept := r.Admin
	if err := r.OpenAdmin(kept); err != nil || r.Admin != kept || !connects(t, path) {
		t.Errorf("what is there does not stay: %d, %v", r.Admin, err)
	}
	os.Remove(filepath.Join(path, adminSocket))
	if err := r.OpenAdmin(kept); err != nil || !connects(t, path) {
		t.Errorf("what nobody could find is not made anew: %v", err)
	}
	r.Close()
	if _, err := os.Lstat(filepath.Join(path, adminSocket)); !os.IsNotExist(err) {
		t.Errorf("it is there still: %v", err)
	}
}

// A build without the socket leaves none, and one that was killed leaves its path.
func TestASuccessorMakesTheSocketThatItDidNotGet(t *testing.T) {
	path := dir(t)
	before, err := Open(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := unix.FcntlInt(uintptr(before.LockFD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := Inherit(path, lock, before.Control)
	if r.Admin >= 0 {
		t.Fatal("it has a socket that nobody gave")
	}
	if err := r.OpenAdmin(-1); err != nil || !connects(t, path) {
		t.Fatalf("not made: %v", err)
	}
	unix.Close(r.Admin) // as if killed
	if err := r.OpenAdmin(-1); err != nil || !connects(t, path) {
		t.Fatalf("not made over what a killed one left: %v", err)
	}
	r.Close()
}

func TestSomethingElseAtThePathIsLeftAlone(t *testing.T) {
	path := dir(t)
	r, err := Open(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	file := filepath.Join(path, adminSocket)
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.OpenAdmin(-1); err == nil || r.Admin >= 0 {
		t.Errorf("%d %v", r.Admin, err)
	}
	if text, _ := os.ReadFile(file); string(text) != "mine" {
		t.Error("it was overwritten")
	}
}
