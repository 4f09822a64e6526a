package directory

import (
	"cmp"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"pingap/message"
	"pingap/plugins"
)

// maxListed bounds what a listing costs: entries that are looked at. Which ones a larger directory shows is by chance.
const maxListed = 10_000

// entry is a line of a listing.
type entry struct {
	name     string
	folder   bool
	size     int64
	modified time.Time
}

// list answers with what is in a directory. name ends in a slash.
func (d *directory) list(r *message.Request, name string) plugins.Decision {
	entries, more, err := d.entries(name)
	switch {
	case errors.Is(err, errForbidden):
		return plugins.Respond(forbidden(r), "outside the directory")
	case err != nil && missing(err):
		return plugins.Respond(d.notFound, "not found")
	case err != nil:
		return plugins.Respond(d.failed, "file access error")
	}
	a := &plugins.Answer{Status: 200, Content: true, Body: page(name[len(d.root)-1:], entries, more)}
	a.AddField("Content-Type", "text/html; charset=utf-8")
	a.AddField("X-Content-Type-Options", "nosniff")
	a.AddField("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	a.Fields = append(a.Fields, d.listingFields()...)
	if !slices.ContainsFunc(a.Fields, func(f message.Field) bool { return f.ID == message.CacheControl }) {
		a.AddField("Cache-Control", string(d.asked))
	}
	return plugins.Respond(a, "listing")
}

// listingFields are those of the configuration but for what describes a file.
func (d *directory) listingFields() (list []message.Field) {
	for _, f := range d.custom {
		switch f.ID {
		case message.ContentType, message.ContentEncoding, message.ContentDisposition:
		default:
			list = append(list, f)
		}
	}
	return list
}

// entries reads a directory: what can be asked for, folders first, then by name. more tells that there would be others.
func (d *directory) entries(name string) (list []entry, more bool, err error) {
	f, err := d.openFolder(name)
	if err != nil {
		return nil, false, err
	}
	defer f.close()
	names, err := f.Readdirnames(maxListed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	if len(names) == maxListed {
		rest, _ := f.Readdirnames(1)
		more = len(rest) > 0
	}
	for _, n := range names {
		if !allowed([]byte(n), d.hidden) {
			continue
		}
		info, err := f.stat(n)
		if err != nil || !info.IsDir() && !info.Mode().IsRegular() { // gone meanwhile, leads out, or is nothing that is served
			continue
		}
		list = append(list, entry{name: n, folder: info.IsDir(), size: info.Size(), modified: info.ModTime()})
	}
	slices.SortFunc(list, func(a, b entry) int {
		if a.folder != b.folder {
			if a.folder {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.name, b.name)
	})
	return list, more, nil
}

// folder is a directory that is being listed.
type folder struct {
	*os.File
	d    *directory
	name string
	root *os.Root // nil where links are followed anywhere
}

func (d *directory) openFolder(name string) (f folder, err error) {
	f.d, f.name = d, name
	if !d.follow {
		if f.root, err = os.OpenRoot(d.root); err != nil {
			return f, err
		}
	}
	if f.File, err = d.openDirectory(name); err != nil {
		f.close()
	}
	return f, err
}

// stat looks at an entry through links, where these may be followed.
func (f *folder) stat(name string) (fs.FileInfo, error) {
	if f.root == nil {
		return os.Stat(f.name + name)
	}
	return f.root.Stat(f.d.below(f.name + name))
}

func (f *folder) close() {
	f.File.Close() // nil is fine
	if f.root != nil {
		f.root.Close()
	}
}

func (d *directory) openDirectory(name string) (*os.File, error) {
	if trimmed := strings.TrimSuffix(name, "/"); len(trimmed) >= len(d.root) {
		name = trimmed
	}
	o, err := d.open(name)
	if err != nil {
		return nil, err
	}
	if !o.directory() {
		o.close()
		return nil, errSpecial
	}
	return o.take(), nil
}

// page is a listing as HTML. Names come from the disk and may hold anything but a slash and NUL.
func page(path string, entries []entry, more bool) []byte {
	title := html.EscapeString(strings.ToValidUTF8(path, "\uFFFD"))
	var b strings.Builder
	b.WriteString(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
		`<title>Index of ` + title + `</title><style>body{font-family:sans-serif}td,th{text-align:left;padding:.1em 1em .1em 0}` +
		`td:nth-child(2),th:nth-child(2){text-align:right}</style></head><body><h1>Index of ` + title + `</h1>` +
		"<table><thead><tr><th>File Name</th><th>Size</th><th>Last Modified</th></tr></thead><tbody>\n")
	if path != "/" {
		b.WriteString("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n")
	}
	for i := range entries {
		writeEntry(&b, &entries[i])
	}
	b.WriteString("</tbody></table>")
	if more {
		fmt.Fprintf(&b, "<p>There are more than %d entries; not all are shown.</p>", maxListed)
	}
	b.WriteString("</body></html>\n")
	return []byte(b.String())
}

func writeEntry(b *strings.Builder, e *entry) {
	size, slash := fmt.Sprint(e.size), ""
	if e.folder {
		size, slash = "", "/"
	}
	fmt.Fprintf(b, "<tr><td><a href=\"./%s%s\">%s%s</a></td><td>%s</td><td>%s</td></tr>\n", appendEscaped(nil, e.name), slash,
		html.EscapeString(strings.ToValidUTF8(e.name, "\uFFFD")), slash, size, e.modified.UTC().Format(time.DateTime))
}
