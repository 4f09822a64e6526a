package install

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// packageOf names Debian's package of a peer.
func packageOf(binary string) string {
	switch binary {
	case "nginx":
		return "nginx-light"
	case "haproxy", "caddy":
		return binary
	}
	return ""
}

// Find returns the path of a program, installing its package when it is missing and this is root.
func Find(ctx context.Context, binary string, log func(string, ...any)) (string, error) {
	if path := LookPath(binary); path != "" {
		return path, nil
	}
	pkg := packageOf(binary)
	if pkg == "" || os.Getuid() != 0 || LookPath("apt-get") == "" {
		return "", fmt.Errorf("%s not found", binary)
	}
	log("installing %s", pkg)
	if err := apt(ctx, pkg); err != nil {
		return "", err
	}
	if path := LookPath(binary); path != "" {
		return path, nil
	}
	return "", fmt.Errorf("%s not found after installing %s", binary, pkg)
}

// apt installs one package without letting it start a service: a policy-rc.d that says no, removed afterwards.
func apt(ctx context.Context, pkg string) error {
	const policy = "/usr/sbin/policy-rc.d"
	if _, err := os.Stat(policy); os.IsNotExist(err) {
		if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
			return err
		}
		defer os.Remove(policy)
	}
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", pkg}} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

// LookPath also looks where Debian puts daemons, which is not in everyone's PATH.
func LookPath(binary string) string {
	if path, err := exec.LookPath(binary); err == nil {
		if abs, err := filepath.Abs(path); err == nil {
			return abs
		}
	}
	if path, err := exec.LookPath(filepath.Join("/usr/sbin", binary)); err == nil {
		return path
	}
	return ""
}
