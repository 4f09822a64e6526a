package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pingap/config"
)

func TestReferenceIsCurrent(t *testing.T) {
	got, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, reference()) {
		t.Error("docs/configuration.md is out of date: go run ./config/internal/gendoc docs/configuration.md")
	}
}

func TestReferenceNamesEveryKey(t *testing.T) {
	text := string(reference())
	for _, table := range config.Tables() {
		_, section, found := strings.Cut(text, "\n## `["+table.Name)
		if !found {
			t.Fatalf("no section of %s", table.Name)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for _, k := range table.Keys {
			if strings.Count(section, "\n| `"+k.Name+"` |") != 1 {
				t.Errorf("%s.%s is not in its section", table.Name, k.Name)
			}
		}
	}
}

func TestRowsHaveSixCells(t *testing.T) {
	rows := 0
	for _, line := range strings.Split(string(reference()), "\n") {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		rows++
		if bars := strings.Count(line, "|") - strings.Count(line, `\|`); bars != 7 {
			t.Errorf("%d bars in %s", bars, line)
		}
	}
	if rows < 120 {
		t.Errorf("only %d keys", rows)
	}
}

func TestWriteReplacesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "configuration.md")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := write(path); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, reference()) {
		t.Errorf("wrote %d bytes: %v", len(got), err)
	}
	left, err := filepath.Glob(path + ".*")
	if err != nil || len(left) != 0 {
		t.Errorf("left behind %v: %v", left, err)
	}
}
