package plugins

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// maxTables bounds an array of tables.
const maxTables = 10_000

// readTables reads an array of tables, each as the table of a plugin is read. The keys of what it finds are paths: rules[1].max.
func (p *Parameters) readTables(param *Param, given any) (any, []Problem) {
	list, problem := tablesOf(given)
	if problem == "" && param.Required && len(list) == 0 {
		problem = "expected at least one table"
	}
	if problem != "" {
		return nil, []Problem{{Key: param.Name, Message: problem}}
	}
	tables := make([]*Parameters, len(list))
	var problems []Problem
	for i, raw := range list {
		table := newParameters(param.Table, p.env)
		for _, found := range append(param.strangeKeys(raw), table.fill(raw)...) {
			found.Key = fmt.Sprintf("%s[%d].%s", param.Name, i, found.Key)
			problems = append(problems, found)
		}
		tables[i] = table
	}
	return tables, problems
}

// tablesOf returns the tables of a list, however TOML or a snapshot gives it.
func tablesOf(given any) ([]map[string]any, string) {
	list, ok := given.([]map[string]any)
	if !ok {
		items, isList := given.([]any)
		if !isList {
			return nil, expected(Tables.words(), given)
		}
		for i, item := range items {
			table, isTable := item.(map[string]any)
			if !isTable {
				return nil, fmt.Sprintf("entry %d: %s", i+1, expected("a table", item))
			}
			list = append(list, table)
		}
	}
	if len(list) > maxTables {
		return nil, fmt.Sprintf("expected at most %d tables, found %d", maxTables, len(list))
	}
	return list, ""
}

// strangeKeys finds the keys of a table that are not declared.
func (p *Param) strangeKeys(raw map[string]any) []Problem {
	var names []string
	for i := range p.Table {
		names = append(names, p.Table[i].Name)
	}
	var problems []Problem
	for key := range raw {
		if !slices.Contains(names, key) {
			problems = append(problems, Problem{Key: key, Message: p.Name + " has no such key" + suggestion(key, names)})
		}
	}
	sort.Slice(problems, func(i, j int) bool { return problems[i].Key < problems[j].Key })
	return problems
}

// envPrefix begins a secret that is the value of a variable of the environment.
const envPrefix = "$ENV:"

// fromEnvironment puts the values of variables in the places of what names them. It says nothing of values.
func fromEnvironment(given any, env func(string) (string, bool)) (any, string) {
	switch v := given.(type) {
	case string:
		return expand(v, env)
	case []any:
		all := slices.Clone(v)
		for i := range all {
			text, ok := all[i].(string)
			if !ok {
				continue // what it is said when it is read
			}
			var problem string
			if all[i], problem = expand(text, env); problem != "" {
				return nil, fmt.Sprintf("entry %d: %s", i+1, problem)
			}
		}
		return all, ""
	}
	return given, ""
}

func expand(text string, env func(string) (string, bool)) (string, string) {
	name, ok := strings.CutPrefix(text, envPrefix)
	if !ok {
		return text, ""
	}
	if env != nil {
		if v, set := env(name); set && v != "" {
			return v, ""
		}
	}
	return "", fmt.Sprintf("the environment has no value for %s", clip(name))
}
