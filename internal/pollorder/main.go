package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The loop over what epoll gave, as the runtime has it and as it should be. Each socket goes to the head of a list, so the one that is taken
// last is run first.
const (
	asItIs     = "for i := int32(0); i < n; i++ {"
	asItShould = "for i := n - 1; i >= 0; i-- {"
	pushed     = "netpollready(&toRun, pd, mode)"
)

// errOther is a runtime that this does not know.
var errOther = errors.New("its poller is not the one known")

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pollorder DIR")
		os.Exit(2)
	}
	flag, err := prepare(os.Args[1])
	if errors.Is(err, errOther) {
		fmt.Fprintln(os.Stderr, "pollorder: this Go runtime is taken as it is:", err)
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pollorder:", err)
		os.Exit(1)
	}
	fmt.Println(flag)
}

// prepare writes file and overlay and returns the flag.
func prepare(dir string) (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "runtime", "netpoll_epoll.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return "", fmt.Errorf("%w: %v", errOther, err)
	}
	turned, err := turn(text)
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// Names that begin like this one are no part of a package that ./... would find in DIR.
	copied, overlay := filepath.Join(dir, "_netpoll_epoll.go"), filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {original: copied}})
	if err != nil {
		return "", err
	}
	for name, data := range map[string][]byte{copied: turned, overlay: list} {
		if err := replace(name, data); err != nil {
			return "", err
		}
	}
	return "-overlay=" + overlay, nil
}

// turn has the loop run from the other end.
func turn(text []byte) ([]byte, error) {
	if n := bytes.Count(text, []byte(asItIs)); n != 1 {
		return nil, fmt.Errorf("%w: %d loops over events", errOther, n)
	}
	if !bytes.Contains(text[bytes.Index(text, []byte(asItIs)):], []byte(pushed)) {
		return nil, fmt.Errorf("%w: the loop makes no list", errOther)
	}
	return bytes.Replace(text, []byte(asItIs), []byte(asItShould), 1), nil
}

// replace writes a file whole or not at all: builds may run side by side.
func replace(name string, data []byte) error {
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, data) {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
