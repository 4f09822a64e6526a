package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"pingap/control/admin/auth"
)

// maxTyped bounds what is read of a password, in bytes.
const maxTyped = 1024

func hashVerb() verb {
	return verb{
		name: "hash", summary: "Read a password and print its hash for the configuration.",
		help: `Usage: pingap hash [flags]

Reads a line from standard input, without showing it on a terminal, and prints its
argon2id hash. In authorizations of an admin plugin it stands in place of the
password: "alice:$argon2id$...". No instance needs to run.
`,
		run: func(_ context.Context, c *call) int {
			password, err := typed(os.Stdin, c.stderr)
			if err != nil {
				return c.fail(err)
			}
			hash, err := auth.HashPassword(password)
			if err != nil {
				return c.fail(err)
			}
			fmt.Fprintln(c.stdout, hash)
			return exitDone
		},
	}
}

// typed reads a password. A terminal does not show it.
func typed(from *os.File, prompt io.Writer) (string, error) {
	if shown, err := unix.IoctlGetTermios(int(from.Fd()), unix.TCGETS); err == nil {
		hidden := *shown
		hidden.Lflag &^= unix.ECHO
		if err := unix.IoctlSetTermios(int(from.Fd()), unix.TCSETS, &hidden); err != nil {
			return "", fmt.Errorf("hide the password: %w", err)
		}
		defer func() {
			_ = unix.IoctlSetTermios(int(from.Fd()), unix.TCSETS, shown) // nothing can be done about it
			fmt.Fprintln(prompt)
		}()
		fmt.Fprint(prompt, "Password: ")
	}
	line, err := bufio.NewReader(io.LimitReader(from, maxTyped+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	password := strings.TrimRight(line, "\r\n")
	if password == "" || len(password) > maxTyped {
		return "", fmt.Errorf("expected a password of 1 to %d bytes on standard input", maxTyped)
	}
	return password, nil
}
