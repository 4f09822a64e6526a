package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s := newSummary(stdout)
	for _, group := range split(args) {
		s.begin()
		if err := goTest(ctx, group, s, stderr); err != nil {
			fmt.Fprintln(stderr, "testsummary:", err)
			s.broken++
		}
		s.again(func(test failure) bool { return alone(ctx, group, test, stdout, stderr) })
	}
	s.print()
	if s.failed+s.broken > 0 || s.passed == 0 {
		return 1
	}
	return 0
}

// split cuts the arguments at "--".
func split(args []string) [][]string {
	var groups [][]string
	for len(args) > 0 {
		i := slices.Index(args, "--")
		if i < 0 {
			return append(groups, args)
		}
		if i > 0 {
			groups = append(groups, args[:i])
		}
		args = args[i+1:]
	}
	return groups
}

// alone runs one test of a group twice more with nothing beside it, and reports whether it passed both times.
func alone(ctx context.Context, group []string, test failure, stdout, stderr io.Writer) bool {
	args := slices.DeleteFunc(slices.Clone(group), func(arg string) bool { return !strings.HasPrefix(arg, "-") })
	args = append(args, "-count=2", "-run=^"+regexp.QuoteMeta(test.name)+"$", test.pkg)
	s := newSummary(stdout)
	if err := goTest(ctx, args, s, stderr); err != nil {
		fmt.Fprintln(stderr, "testsummary:", err)
		return false
	}
	return s.passed >= 2 && s.failed+s.broken == 0
}

// goTest runs one go test and feeds its events to s. That tests failed is not an error here: s knows.
func goTest(ctx context.Context, args []string, s *summary, stderr io.Writer) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	before := s.failed + s.broken
	readErr := s.read(out)
	err = cmd.Wait()
	if readErr != nil {
		return readErr
	}
	if err != nil && s.failed+s.broken == before {
		return fmt.Errorf("go test: %w", err)
	}
	return nil
}

// read consumes events until the end; lines that are no events are passed on.
func (s *summary) read(r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				s.add(e)
			} else {
				fmt.Fprintf(s.out, "%s", line)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
