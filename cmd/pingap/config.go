package main

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"time"

	"pingap/control/history"
	"pingap/ipc"
)

func configVerb() verb {
	return verb{
		name: "config", summary: "List, show and compare the configurations that were live; export and import.",
		help: `Usage: pingap config list [--json]
       pingap config show [N] [--secrets] [--json]
       pingap config diff N M [--json]
       pingap config export [--full] [--json] -c CONF
       pingap config import FILE [--json] -c CONF
       pingap config migrate [--json] -c CONF
       pingap config kept KEY [--json] -c CONF
       pingap config restore KEY ID [--json] -c CONF

list shows the versions that are kept: basic.config_history of them, in the
state directory. show prints one, without a number the live one, as TOML that
pingap -t takes; secrets show as [redacted], which a plugin may refuse where it
expects a secret of a certain form. diff says what changed from N to M.

The other words are about the source of a configuration, and need no instance.
export prints what is stored at CONF as one text, secrets included, with --full
with what is included written out. import writes a file, or the files of a
directory, to CONF in the layout of that: all of it, or, where the result would
not load or somebody else wrote meanwhile, nothing. migrate writes a directory
anew in its own layout; files that do not belong to it are renamed to NAME.bak.
kept lists what servers/NAME.toml, for example, held before, and restore brings
it back; both need enable_history=true in CONF.
`,
		flags: []flagSpec{
			{long: "json", set: on(func(o *options) *bool { return &o.json }),
				help: "Print JSON. Of the words about a source: source, and of export config (TOML), of import written and kept (keys that it left), of migrate migrated (key, renamed_to), of kept key and kept (id, at, size), of restore key and id; of errors message and errors."},
			{long: "secrets", set: on(func(o *options) *bool { return &o.secrets }),
				help: "show: print secrets as they are. For root and the user that control runs as, nobody else."},
			{long: "full", set: on(func(o *options) *bool { return &o.full }), help: "export: with what is included, and without storages."},
			{long: "conf", short: 'c', value: "CONF", set: text(func(o *options) *string { return &o.conf }),
				help: "Where the configuration is, as for pingap itself. Variable PINGAP_CONF."},
		},
		arguments: true,
		timeout:   30 * time.Second,
		run:       runConfig,
	}
}

func runConfig(ctx context.Context, c *call) int {
	if len(c.rest) > 0 && slices.Contains([]string{"export", "import", "migrate", "kept", "restore"}, c.rest[0]) {
		return runStored(c.rest[0], c)
	}
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
		return printDocument[history.Text](ctx, c, b)
	case ipc.ConfigDiff:
		return printDocument[history.Diff](ctx, c, b)
	}
	return printDocument[history.List](ctx, c, b)
}

// configArguments understands the words behind the verb; numbers that are not given are 0.
func configArguments(words []string) (what string, numbers [2]uint64, err error) {
	if len(words) == 0 {
		return "", numbers, usagef("config needs list, show or diff, or export, import, migrate, kept or restore")
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
		return "", numbers, usagef("config knows list, show and diff, export, import, migrate, kept and restore, not %q", what)
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
func printDocument[T interface{ Print(io.Writer) error }](ctx context.Context, c *call, b ipc.ConfigRead) int {
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
		err = value.Print(c.stdout)
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
