package responseheaders

import (
	"errors"

	"pingap/message"
	"pingap/plugins"
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	list := func(name, help string) plugins.Param {
		return plugins.Param{Name: name, Type: plugins.Strings, Help: help}
	}
	return plugins.Factory{
		Category: "response_headers",
		Summary:  "Adds, removes, sets and renames response fields.",
		Params: []plugins.Param{
			list("add_headers", "Fields to add, \"name: value\", beside those of the same name. A value may be a variable."),
			list("remove_headers", "Names of fields to remove."),
			list("set_headers", "Fields to set, \"name: value\", in place of those of the same name. A value may be a variable."),
			list("set_headers_not_exists", "Fields to add if there is none of the name, \"name: value\". A value may be a variable."),
			list("rename_headers", "Fields to rename, \"old: new\". Of several the first is kept."),
			{Name: "mode", Type: plugins.String, Enum: []string{"response", "upstream"}, Default: "response", Help: "When: response, before a response is sent; upstream, when it comes from the upstream, so that the cache stores the result."},
		},
		New: build,
	}
}

// changes are made in the order of the fields.
type changes struct {
	add        []field
	remove     []string
	set        []field
	setMissing []field
	rename     []renaming
}

type field struct {
	name  string
	value message.Value
}

type renaming struct{ from, to string }

// atResponse and atUpstream are the two kinds of instance: each has the one step that its mode names.
type (
	atResponse struct{ changes *changes }
	atUpstream struct{ changes *changes }
)

// Response changes the head before it is sent.
func (a atResponse) Response(e *plugins.Exchange) { a.changes.apply(e) }

// UpstreamResponse changes the head that came from the upstream.
func (a atUpstream) UpstreamResponse(e *plugins.Exchange) { a.changes.apply(e) }

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	c := &changes{}
	var problems [5]error
	c.add, problems[0] = readFields(p, "add_headers")
	c.remove, problems[1] = readNames(p, "remove_headers")
	c.set, problems[2] = readFields(p, "set_headers")
	c.setMissing, problems[3] = readFields(p, "set_headers_not_exists")
	c.rename, problems[4] = readRenamings(p, "rename_headers")
	if err := errors.Join(problems[:]...); err != nil {
		return nil, err
	}
	if p.String("mode") == "upstream" {
		return atUpstream{c}, nil
	}
	return atResponse{c}, nil
}

func readFields(p *plugins.Parameters, key string) ([]field, error) {
	var fields []field
	var problems []error
	for i, text := range p.Strings(key) {
		name, value, err := plugins.ParseField(text)
		if err != nil {
			problems = append(problems, plugins.EntryErrorf(key, i, "%v", err))
			continue
		}
		fields = append(fields, field{name, message.CompileValue(value, p.Env)})
	}
	return fields, errors.Join(problems...)
}

func readNames(p *plugins.Parameters, key string) ([]string, error) {
	names := p.Strings(key)
	var problems []error
	for i, name := range names {
		if err := plugins.CheckFieldName(name); err != nil {
			problems = append(problems, plugins.EntryErrorf(key, i, "%v", err))
		}
	}
	return names, errors.Join(problems...)
}

func readRenamings(p *plugins.Parameters, key string) ([]renaming, error) {
	var all []renaming
	var problems []error
	for i, text := range p.Strings(key) {
		from, to, err := plugins.ParseField(text)
		if err == nil {
			err = plugins.CheckFieldName(to)
		}
		if err != nil {
			problems = append(problems, plugins.EntryErrorf(key, i, "%v", err))
			continue
		}
		all = append(all, renaming{from, to})
	}
	return all, errors.Join(problems...)
}

// apply makes the changes. The memory for a value is on the stack; only a longer one is allocated.
func (c *changes) apply(e *plugins.Exchange) {
	var memory [512]byte
	fields := &e.Response.Fields
	for i := range c.add {
		if value, ok := c.add[i].appendValue(memory[:0], e); ok {
			fields.Add(c.add[i].name, value)
		}
	}
	for _, name := range c.remove {
		fields.Del(name)
	}
	for i := range c.set {
		if value, ok := c.set[i].appendValue(memory[:0], e); ok {
			fields.Set(c.set[i].name, value)
		}
	}
	for i := range c.setMissing {
		if _, there := fields.Lookup(c.setMissing[i].name); there {
			continue
		}
		if value, ok := c.setMissing[i].appendValue(memory[:0], e); ok {
			fields.Add(c.setMissing[i].name, value)
		}
	}
	for _, r := range c.rename {
		if value, ok := fields.Lookup(r.from); ok {
			fields.Del(r.from)
			fields.Add(r.to, value)
		}
	}
}

// appendValue returns the value for this exchange; false if a variable holds what a field may not have.
func (f *field) appendValue(dst []byte, e *plugins.Exchange) ([]byte, bool) {
	value := f.value.Append(dst, &e.Record)
	return value, message.ValidValue(value)
}
