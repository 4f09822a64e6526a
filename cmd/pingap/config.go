package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"pingap/control/history"
	"pingap/ipc"
)

func configVerb() verb {
	return verb{
		name: "config", summary: "List, show and compare the configurations that were live.",
		help: `Usage: pingap config list [--json]
       pingap config show [N] [--secrets] [--json]
       pingap config diff N M [--json]

list shows the versions that are kept: basic.config_history of them, in the
state directory. show prints one, without a number the live one, as TOML that
pingap -t takes; secrets show as [redacted], which a plugin may refuse where it
expects a secret of a certain form. diff says what changed from N to M.
`,
		flags: []flagSpec{
			{long: "json", set: on(func(o *options) *bool { return &o.json }), help: "Print JSON."},
			{long: "secrets", set: on(func(o *options) *bool { return &o.secrets }),
				help: "show: print secrets as they are. For root and the user that control runs as, nobody else."},
		},
		arguments: true,
		timeout:   30 * time.Second,
		run:       runConfig,
	}
}

func runConfig(ctx context.Context, c *call) int {
	what, numbers, err := configArguments(c.rest)
	if err == nil && c.secrets && what != ipc.ConfigShow {
		err = usagef("--secrets has no meaning for config %s", what)
	}
	if err != nil {
		return c.fail(err)
	}
	b := ipc.ConfigRead{What: what, Version: numbers[0], Other: numbers[1], Secrets: c.secrets}
	switch what {
	case ipc.ConfigShow:
		return printDocument(ctx, c, b, printText)
	case ipc.ConfigDiff:
		return printDocument(ctx, c, b, printDiff)
	}
	return printDocument(ctx, c, b, printList)
}

// configArguments understands the words behind the verb; numbers that are not given are 0.
func configArguments(words []string) (what string, numbers [2]uint64, err error) {
	if len(words) == 0 {
		return "", numbers, usagef("config needs list, show or diff")
	}
	what, words = words[0], words[1:]
	least, most := 0, 0
	switch what {
	case ipc.ConfigList:
	case ipc.ConfigShow:
		most = 1
	case ipc.ConfigDiff:
		least, most = 2, 2
	default:
		return "", numbers, usagef("config knows list, show and diff, not %q", what)
	}
	if len(words) < least || len(words) > most {
		return "", numbers, usagef("config %s takes %s, found %q", what, []string{"no number", "one number at most", "two numbers"}[most], words)
	}
	for i, word := range words {
		if numbers[i], err = versionNumber(word); err != nil {
			return "", numbers, err
		}
	}
	return what, numbers, nil
}

func versionNumber(word string) (uint64, error) {
	n, err := strconv.ParseUint(word, 10, 64)
	if err != nil || n == 0 {
		return 0, usagef("%q: expected the number of a version", word)
	}
	return n, nil
}

// printDocument reads a document and prints it, as it came or for people.
func printDocument[T any](ctx context.Context, c *call, b ipc.ConfigRead, text func(io.Writer, T) error) int {
	data, refused, err := c.document(ctx, b)
	if refused != nil {
		return c.unexpected(refused)
	}
	var value T
	if err == nil {
		err = json.Unmarshal(data, &value)
	}
	if err == nil && c.json {
		enc := json.NewEncoder(c.stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(value)
	} else if err == nil {
		err = text(c.stdout, value)
	}
	if err != nil {
		return c.failed(err)
	}
	return exitDone
}

// document reads all parts of a document; refused is the answer where it is not one.
func (c *call) document(ctx context.Context, b ipc.ConfigRead) (data []byte, refused ipc.Body, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	i, err := c.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer i.conn.Close()
	for {
		b.Offset = len(data)
		answer, err := i.ask(ctx, b)
		if err != nil {
			return nil, nil, err
		}
		part, ok := answer.(*ipc.ConfigPart)
		if !ok {
			return nil, answer, nil
		}
		data = append(data, part.Data...)
		if len(part.Data) == 0 || len(data) >= part.Total {
			return data, nil, nil
		}
	}
}

func printList(w io.Writer, l history.List) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "VERSION\tSHA\tSINCE\tBY\tCHANGES")
	for _, v := range l.Versions {
		number := num(v.Number)
		if v.Number == l.Live {
			number += " live"
		}
		fmt.Fprintln(t, strings.Join([]string{number, short(v.SHA), v.At.Local().Format(time.RFC3339), v.By, summary(v)}, "\t"))
	}
	return t.Flush()
}

// summary names the first objects that a version changed.
func summary(v history.Version) string {
	const most = 3
	var words []string
	for i, c := range v.Changes {
		if i == most {
			words = append(words, fmt.Sprintf("%d more", len(v.Changes)-most+v.More))
			break
		}
		words = append(words, c.Object)
	}
	return strings.Join(words, ", ")
}

func printText(w io.Writer, t history.Text) error {
	copyOf := ""
	if t.CopyOf != 0 {
		copyOf = fmt.Sprintf(", a copy of version %d", t.CopyOf)
	}
	_, err := fmt.Fprintf(w, "# version %d (%s)%s, live since %s, by %s\n# loaded from %s\n\n%s",
		t.Number, t.SHA, copyOf, t.At.Local().Format(time.RFC3339), comment(t.By), comment(t.Source), t.Config)
	return err
}

// comment keeps a text within its line.
func comment(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}

func printDiff(w io.Writer, d history.Diff) error {
	for _, c := range d.Changes {
		if _, err := fmt.Fprintf(w, "%s %s (%s)\n", c.Op, c.Object, c.Class); err != nil {
			return err
		}
		for _, k := range c.Keys {
			if k.Old != "" {
				fmt.Fprintf(w, "  - %s = %s\n", k.Key, k.Old)
			}
			if k.New != "" {
				fmt.Fprintf(w, "  + %s = %s\n", k.Key, k.New)
			}
		}
	}
	return nil
}
