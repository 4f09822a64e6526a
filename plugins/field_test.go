package plugins

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pingap/config"
	"pingap/message"
)

func TestDisownTakesEverySpelling(t *testing.T) {
	var f message.Fields
	for _, name := range []string{"X-User", "x_user", "A", "X_USER", "x-user", "X-User-2", "XUser", "X-USER"} {
		f.Add(name, []byte("v"))
	}
	Disown(&f, "X-User")
	var left []string
	for _, field := range f.List() {
		left = append(left, string(field.Name))
	}
	if got := strings.Join(left, " "); got != "A X-User-2 XUser" {
		t.Errorf("left %s", got)
	}
	if n := testing.AllocsPerRun(10, func() { Disown(&f, "X-User") }); n != 0 {
		t.Errorf("%v allocations where there is nothing to remove", n)
	}
}

func TestPEMIsTextOrAFile(t *testing.T) {
	dir := t.TempDir()
	file, large, fifo := filepath.Join(dir, "a.pem"), filepath.Join(dir, "large"), filepath.Join(dir, "fifo")
	if err := errors.Join(os.WriteFile(file, []byte("content"), 0o600), os.WriteFile(large, make([]byte, maxPEM+1), 0o600), syscall.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"": "", " -----BEGIN X-----\ny\n": "-----BEGIN X-----\ny", file: "content",
		"a.pem": "!expected PEM, or the absolute path of a file with PEM", fifo: "!" + fifo + " is no file", dir: "!" + dir + " is no file",
		large: "!" + large + " has more than 1048576 bytes", dir + "/gone": "!stat " + dir + "/gone: no such file or directory",
	} {
		p := mustBuild(t, &config.Plugin{Category: "probe", Params: map[string]any{"must": "m", "text": text, "choice": "a"}}).Decider.(*probe).params
		if text == "" {
			delete(p.values, "text") // it has a default
		}
		data, err := p.PEM("text")
		got := string(data)
		var own *Error
		if errors.As(err, &own) && own.Key == "text" {
			got = "!" + own.Message
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
