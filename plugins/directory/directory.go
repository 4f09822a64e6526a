package directory

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"pingap/message"
	"pingap/plugins"
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "directory",
		Summary:  "Serves files below a directory.",
		Steps:    []plugins.Step{plugins.Request, plugins.ProxyUpstream},
		Plain:    true,
		Params: []plugins.Param{
			{Name: "path", Type: plugins.String, Help: "The directory; \"~\" is the home of the user that workers run as. Empty is the working directory. The whole path of a request is looked for below it; use rewrite to strip a prefix."},
			{Name: "index", Type: plugins.String, Default: "index.html", Help: "Name of the file that is served for a directory."},
			{Name: "autoindex", Type: plugins.Bool, Default: false, Help: "Whether directories are listed; then the index file is not looked for."},
			{Name: "chunk_size", Type: plugins.Size, Default: "4kb", Help: "Accepted, without effect: files are sent by the kernel."},
			{Name: "max_age", Type: plugins.Duration, Help: "Time for which clients may keep a file without asking; not for HTML. None has them ask each time."},
			{Name: "private", Type: plugins.Bool, Default: false, Help: "With max_age: whether only the client itself may keep files, and no cache on the way."},
			{Name: "charset", Type: plugins.String, Help: "Character set that is named with text, as in utf-8. Empty names none."},
			{Name: "download", Type: plugins.Bool, Default: false, Help: "Whether browsers are to save files in place of showing them."},
			{Name: "follow_symlinks", Type: plugins.Bool, Default: false, Help: "Whether symbolic links may lead out of the directory. By default only relative links that stay inside are followed."},
			{Name: "hidden", Type: plugins.Bool, Default: false, Help: "Whether names that begin with a dot are served; .well-known is, always."},
			{Name: "precompressed", Type: plugins.Strings, Help: "Encodings for which compressed files may lie beside a file, the best first: zstd (name.zst), br (name.br), gzip (name.gz)."},
			{Name: "memory", Type: plugins.Size, Default: "16mb", Help: "How much of small files that are asked for again is kept in the memory of each worker; whether they have changed is looked at each time. 0 keeps none."},
			{Name: "headers", Type: plugins.Strings, Help: "Fields of answers that have a file, \"name: value\"."},
		},
		New: build,
	}
}

// directory is an instance.
type directory struct {
	root      string // absolute, with a slash at its end
	index     string
	autoindex bool
	follow    bool
	hidden    bool
	download  bool
	codings   []coding
	types     map[string]mediaType // by extension in small letters
	unknown   mediaType
	names     names
	cache     []byte          // Cache-Control
	asked     []byte          // that of HTML and listings
	custom    []message.Field // fields of the configuration
	memory    *memory

	// Answers that all requests share.
	notFound, failed, method *plugins.Answer
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	d := &directory{
		index: p.String("index"), autoindex: p.Bool("autoindex"), follow: p.Bool("follow_symlinks"),
		asked: []byte("private, no-cache"), hidden: p.Bool("hidden"), download: p.Bool("download"), names: newNames(),
		notFound: plugins.Text(404, "Not Found"), failed: plugins.Text(500, "File access error"),
		method: plugins.Text(405, "Method Not Allowed"),
	}
	d.method.AddField("Allow", "GET, HEAD")
	var errs [5]error
	d.root, errs[0] = readRoot(p.String("path"))
	if d.index == "." || d.index == ".." || strings.ContainsAny(d.index, "/\x00") {
		errs[1] = plugins.Errorf("index", "expected the name of a file, without a slash")
	}
	d.types, d.unknown, errs[2] = readTypes(p.String("charset"))
	d.codings, errs[3] = readCodings(p.Strings("precompressed"))
	d.custom, errs[4] = readFields(p.Strings("headers"))
	d.cache, d.memory = d.cacheControl(p), newMemory(p.Size("memory"))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	d.warn(p)
	return d, nil
}

// warn says that there is nothing to serve yet. That refuses no configuration: directories come and go without one.
func (d *directory) warn(p *plugins.Parameters) {
	s := p.Services()
	if s == nil || s.Log == nil {
		return
	}
	if _, err := os.Stat(d.root); err != nil {
		s.Log.Warn("the directory to be served cannot be looked at", zap.String("plugin", p.Name()), zap.Error(err))
	}
}

// cacheControl is what answers other than HTML say.
func (d *directory) cacheControl(p *plugins.Parameters) []byte {
	if !p.Has("max_age") {
		return d.asked
	}
	text := []byte("public, max-age=")
	if p.Bool("private") {
		text = []byte("private, max-age=")
	}
	return strconv.AppendInt(text, int64(p.Duration("max_age").Seconds()), 10)
}

// readFields reads the fields of the configuration. Those by which clients compare files are made here only: a constant would have them
// keep old files for ever.
func readFields(texts []string) ([]message.Field, error) {
	var a plugins.Answer
	var problems []error
	for i, text := range texts {
		name, value, err := plugins.ParseField(text)
		if err == nil {
			switch message.LookupName([]byte(name)) {
			case message.ETag, message.LastModified, message.ContentRange, message.AcceptRanges:
				err = errors.New(name + " is made of the file")
			}
		}
		if err != nil {
			problems = append(problems, plugins.EntryErrorf("headers", i, "%v", err))
			continue
		}
		a.AddField(name, value)
	}
	return a.Fields, errors.Join(problems...)
}

// Decide answers every request.
func (d *directory) Decide(e *plugins.Exchange) plugins.Decision {
	r := &e.Request
	if r.MethodID != message.GET && r.MethodID != message.HEAD {
		return plugins.Respond(d.method, "method")
	}
	var space [256]byte
	name, verdict := d.appendName(append(space[:0], d.root...), r)
	switch verdict {
	case nameForbidden:
		return plugins.Respond(forbidden(r), "outside the directory")
	case nameUnknown:
		return plugins.Respond(d.notFound, "not found")
	case nameDirectory:
		if d.autoindex {
			return d.list(r, string(name))
		}
		return d.serve(e, append(name, d.index...), false)
	}
	return d.serve(e, name, true)
}

// forbidden tells where permission ends, by the path that the client knows.
func forbidden(r *message.Request) *plugins.Answer {
	return plugins.Text(403, "You do not have permission to access this resource, file: "+string(r.Path))
}
