package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnotherRuntimeIsLeftAsItIs(t *testing.T) {
	for name, text := range map[string]string{
		"no loop":      "package runtime\n" + pushed,
		"two loops":    asItIs + pushed + asItIs + pushed,
		"another list": pushed + asItIs,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := turn([]byte(text)); !errors.Is(err, errOther) {
				t.Errorf("error %v, expected one that says the runtime is another", err)
			}
		})
	}
}

func TestOnlyTheLoopChanges(t *testing.T) {
	got, err := turn([]byte("a\n" + asItIs + "\n" + pushed + "\nb\n"))
	if want := "a\n" + asItShould + "\n" + pushed + "\nb\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v, expected %q", got, err, want)
	}
}

// The probe has eight goroutines wait for a socket each, makes the sockets ready one after the other while nobody else can run, and prints in which order
// the goroutines come.
func TestSocketsAreServedInTheOrderInWhichTheyBecameReady(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the runtime")
	}
	dir := t.TempDir()
	flag, err := prepare(filepath.Join(dir, "overlay"))
	if err != nil {
		t.Fatalf("this toolchain's poller: %v", err)
	}
	probe := func(args ...string) string {
		out := filepath.Join(dir, "probe")
		args = append([]string{"build", "-o", out}, append(args, "./testdata/probe")...)
		build := exec.Command("go", args...)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build the probe: %v\n%s", err, text)
		}
		text, err := exec.Command(out).CombinedOutput()
		if err != nil {
			t.Fatalf("probe: %v\n%s", err, text)
		}
		return strings.TrimSpace(string(text))
	}
	const inOrder = "0 1 2 3 4 5 6 7"
	if got := probe(flag); got != inOrder {
		t.Errorf("goroutines came as %s, expected %s", got, inOrder)
	}
	if got := probe(); got == inOrder {
		t.Error("the runtime does it by itself now: this command is not needed any more")
	}
}

func TestWhatIsWrittenIsNoPackageOfTheTree(t *testing.T) {
	dir := t.TempDir()
	if _, err := prepare(dir); err != nil && !errors.Is(err, errOther) {
		t.Fatal(err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if strings.HasSuffix(e.Name(), ".go") && !strings.HasPrefix(e.Name(), "_") {
			t.Errorf("%s would be built and vetted with ./...", e.Name())
		}
	}
}
