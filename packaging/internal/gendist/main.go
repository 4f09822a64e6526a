package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// program is what `pingap describe` prints.
type program struct {
	Version  string    `json:"version"`
	Exit     string    `json:"exit"`
	Flags    []option  `json:"flags"`
	Commands []command `json:"commands"`
}

type command struct {
	Name    string   `json:"name"`
	Summary string   `json:"summary"`
	Help    string   `json:"help"` // usage, an empty line, paragraphs
	Flags   []option `json:"flags"`
}

type option struct {
	Long  string `json:"long"`
	Short string `json:"short"`
	Value string `json:"value"` // its name; empty for a switch
	Env   string `json:"env"`
	Help  string `json:"help"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "gendist:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader) error {
	flags := flag.NewFlagSet("gendist", flag.ContinueOnError)
	date := flags.String("date", "", "date of the manual pages, as 2026-01-31")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 || *date == "" {
		return errors.New("usage: pingap describe | gendist -date DATE DIR")
	}
	p, err := readProgram(in)
	if err != nil {
		return err
	}
	for name, text := range documents(p, *date) {
		path := filepath.Join(flags.Arg(0), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func readProgram(in io.Reader) (program, error) {
	var p program
	if err := json.NewDecoder(in).Decode(&p); err != nil {
		return p, fmt.Errorf("read the description: %w", err)
	}
	if len(p.Commands) == 0 || len(p.Flags) == 0 {
		return p, errors.New("the description has no commands or no flags")
	}
	return p, nil
}

// documents are all files by their paths below the usual directory for data.
func documents(p program, date string) map[string]string {
	return map[string]string{
		"man/man8/pingap.8":                     programPage(p, date),
		"man/man5/pingap.toml.5":                configPage(p.Version, date),
		"bash-completion/completions/pingap":    bash(p),
		"zsh/vendor-completions/_pingap":        zsh(p),
		"fish/vendor_completions.d/pingap.fish": fish(p),
	}
}
