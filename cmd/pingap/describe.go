package main

import (
	"encoding/json"
)

// description is the command line as data, of which packaging/internal/gendist makes manual page and completions.
type description struct {
	Version  string          `json:"version"`
	Exit     string          `json:"exit"`
	Flags    []describedFlag `json:"flags"`
	Commands []describedVerb `json:"commands"`
}

type describedVerb struct {
	Name    string          `json:"name"`
	Summary string          `json:"summary"`
	Help    string          `json:"help"` // usage, an empty line, paragraphs
	Flags   []describedFlag `json:"flags"`
}

type describedFlag struct {
	Long  string `json:"long"`
	Short string `json:"short,omitempty"`
	Value string `json:"value,omitempty"` // its name; empty for a switch
	Env   string `json:"env,omitempty"`
	Help  string `json:"help"`
}

// describeRole prints the description.
func describeRole(_ []string, s surroundings) int {
	d := description{Version: version, Exit: exitHelp, Flags: describe(serveFlags())}
	for _, v := range verbs() {
		d.Commands = append(d.Commands, describedVerb{v.name, v.summary, v.help, describe(v.allFlags())})
	}
	if err := json.NewEncoder(s.stdout).Encode(d); err != nil {
		return s.fail(err)
	}
	return exitDone
}

// describe leaves out what is not built yet, as the help does.
func describe(flags []flagSpec) []describedFlag {
	var list []describedFlag
	for _, f := range flags {
		if f.later != "" {
			continue
		}
		d := describedFlag{Long: f.long, Value: f.value, Env: f.env, Help: f.help}
		if f.short != 0 {
			d.Short = string(f.short)
		}
		list = append(list, d)
	}
	return list
}
