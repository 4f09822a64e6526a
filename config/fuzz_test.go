package config

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"
)

func FuzzDuration(f *testing.F) {
	for _, text := range []string{"10s", "1m 30s", "2days", "", "9223372036854775807ns", "1M1y"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDuration(text)
		if err != nil {
			return
		}
		if again, err := ParseDuration(d.String()); err != nil || again != d || d < 0 {
			t.Fatalf("%q is %d, printed %q is %d: %v", text, d, d, again, err)
		}
	})
}

func FuzzSize(f *testing.F) {
	for _, text := range []string{"64kib", "1.5 GB", "0", "9223372036854775807", "1.e", "pib"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseSize(text)
		if err != nil {
			return
		}
		if again, err := ParseSize(n.String()); err != nil || again != n || n < 0 {
			t.Fatalf("%q is %d, printed %q is %d: %v", text, n, n, again, err)
		}
	})
}

func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.toml")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, report := Load([]Document{{Name: "x", Data: data}}, testOptions())
		if (c == nil) != (report.Err() != nil) {
			t.Fatalf("config %v with %v", c, report.Err())
		}
		last := 1 + bytes.Count(data, []byte("\n"))
		for _, p := range append(report.Errors, report.Warnings...) {
			if p.Line < 0 || p.Line > last+1 || p.Message == "" {
				t.Fatalf("problem %+v of %d lines", p, last)
			}
		}
		if c == nil {
			return
		}
		encoded, _ := Encode(c)
		s, err := OpenSnapshot(encoded)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := s.Config()
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := Encode(decoded); !bytes.Equal(encoded, again) {
			t.Fatal("the snapshot of the decoded configuration differs")
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	data, _ := Encode(sampleConfig(f))
	f.Add(data[len(snapshotMagic)+sha256.Size:])
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := OpenSnapshot(resign(body))
		if err != nil {
			return
		}
		if _, err := OpenSnapshot(body); err == nil {
			t.Fatal("a body without its head was accepted")
		}
		if c, err := s.Config(); err == nil {
			Diff(nil, c)
			Encode(c)
		}
	})
}
