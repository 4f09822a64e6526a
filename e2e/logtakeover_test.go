package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Logs that are renamed while no supervisor leads the workers are left by them as soon as there is one again, and no line is lost.
func TestASupervisorThatTakesOverBringsItsLogFiles(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	dir, addr := workDir(t), freePort(t)
	log, conf := filepath.Join(dir, "access.log"), filepath.Join(dir, "pingap.toml")
	write(t, conf, loggedConf(addr, b.addr, log+"?rolling=never {path} {status}"))
	i := startIn(t, dir, conf)
	pids := i.status().pids()
	l := runLoad(t, addr, usualMix(1)...)
	l.progress(t, 100)
	if err := i.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-i.ended
	rename(t, log, log+".1")
	l.progress(t, 100)
	next := startIn(t, dir, conf)
	if now := next.status().pids(); len(now) != len(pids) || now[0] != pids[0] || now[1] != pids[1] {
		t.Errorf("workers are %v, were %v", now, pids)
	}
	next.eventually("the old file being left", func() error { return next.leaves(log + ".1") })
	before := read(t, log+".1")
	l.progress(t, 100)
	l.mustBeClean(t)
	next.signal(syscall.SIGTERM)
	if !next.endsWithin(patience) {
		t.Fatal("pingap did not end")
	}
	if read(t, log+".1") != before {
		t.Error("the old file grew")
	}
	if n, done := lineCount(before+read(t, log)), int(l.done.Load()); n != done {
		t.Errorf("%d lines of %d requests", n, done)
	}
}

// leaves says which process has a file open.
func (i *instance) leaves(file string) error {
	for _, p := range i.status().Processes {
		for _, d := range descriptors(i.t, p.PID) {
			if d.to == file {
				return fmt.Errorf("%s %d holds it", p.Kind, p.PID)
			}
		}
	}
	return nil
}

func lineCount(text string) int { return strings.Count(text, "/load 200\n") }
