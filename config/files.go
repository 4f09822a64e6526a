package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"pingap/config/pki"
)

// A key with the tag file takes a text (PEM, or base64 of it) or the path of a file or directory that holds it. What is behind
// a path is read when the configuration is loaded and travels in the snapshot: who uses it opens no file, and another
// content is another configuration. Written as TOML the key is the path still, so that a version which is rolled back to
// reads the files as they are then: a certificate that has been renewed meanwhile stays renewed.

// File is what a file that a key names held.
type File struct {
	Path string // of the file itself, absolute
	Sum  Sha    // of all bytes it held
	Data Secret // empty in a snapshot without contents
}

// Files are the files of an object by the keys that name them.
type Files map[string]File

// Text is what a key with the tag file means: what the file holds, or the PEM that the text of the key is.
func (f Files) Text(key, text string) []byte {
	if file, ok := f[key]; ok {
		return []byte(file.Data.Reveal())
	}
	if data, ok := pki.DecodePEM(text); ok {
		return data
	}
	return nil
}

// FileRead is what Options.ReadFile found.
type FileRead struct {
	Path      string // of the file that was read, absolute
	Data      []byte
	Directory bool // the path was a directory, one of the names was found in it
}

// Forms of a key with the tag file.
const (
	formCertificate = "certificate" // PEM; of a directory the usual names of certificates
	formKey         = "key"         // PEM; of a directory the usual names of keys
	formPEM         = "pem"
	formDER         = "der" // DER, base64 or PEM
)

// maxFiles bounds the contents of all files together, in bytes.
const maxFiles = 64 << 20

var errFilesTooLarge = fmt.Errorf("the files that the configuration names hold more than %s together", Size(maxFiles))

// filesOf are the files of an object; nil for a kind that has none.
func filesOf(object any) *Files {
	switch o := object.(type) {
	case *Server:
		return &o.Files
	case *Upstream:
		return &o.Files
	case *Certificate:
		return &o.Files
	}
	return nil
}

// readFiles reads what keys name.
func (l *loader) readFiles() {
	if l.opt.ReadFile == nil {
		return
	}
	for _, name := range l.names[KindServer] {
		l.readFilesOf(l.entries[KindServer][name], l.config.Servers[name])
	}
	for _, name := range l.names[KindUpstream] {
		l.readFilesOf(l.entries[KindUpstream][name], l.config.Upstreams[name])
	}
	for _, name := range l.names[KindCertificate] {
		l.readFilesOf(l.entries[KindCertificate][name], l.config.Certificates[name])
	}
}

func (l *loader) readFilesOf(e *entry, object any) {
	value := reflect.ValueOf(object).Elem()
	t := l.schema[e.kind]
	for i := range t.Keys {
		k := &t.Keys[i]
		text := ""
		if k.File != "" {
			text = value.Field(k.field).String()
		}
		if text == "" || isContent(k.File, text) {
			continue
		}
		found := l.readFile(e, object, k, text)
		if c, ok := object.(*Certificate); ok && found.Directory && k.Name == "tls_cert" && c.TLSKey == "" {
			l.readFile(e, object, t.key("tls_key"), text) // a directory holds both
		}
	}
}

// isContent says whether a text is the thing itself and no path.
func isContent(form, text string) bool {
	_, ok := pki.DecodePEM(text)
	if !ok && form == formDER {
		_, ok = pki.DecodeDER(text)
	}
	return ok
}

// plausiblePath keeps what may be a key in a form that is not understood out of messages about paths.
func plausiblePath(text string) bool {
	_, der := pki.DecodeDER(text)
	damaged := strings.HasPrefix(text, "MI") && len(text) > 40 // as DER begins in base64
	return !der && !damaged && !containsControl(text) && len(text) <= 1024 && !strings.Contains(text, "-----")
}

// readFile reads the file at path for a key of the object.
func (l *loader) readFile(e *entry, object any, k *Key, path string) FileRead {
	var names []string
	switch k.File {
	case formCertificate:
		names = pki.CertificateNames()
	case formKey:
		names = pki.KeyNames()
	}
	if !plausiblePath(path) {
		l.fail(e.problem("expected PEM, base64 of PEM or the path of a file", k.Name))
		return FileRead{}
	}
	found, err := l.opt.ReadFile(path, names)
	if l.fileBytes += len(found.Data); err == nil && l.fileBytes > maxFiles {
		err = errFilesTooLarge
	}
	if err != nil {
		l.fail(e.problem(err.Error(), k.Name))
		return FileRead{}
	}
	file := File{Path: found.Path, Sum: sha256.Sum256(found.Data), Data: Secret(found.Data)}
	if k.File == formDER {
		file.Data = Secret(pki.TrimDER(found.Data))
	}
	files := filesOf(object)
	if *files == nil {
		*files = Files{}
	}
	(*files)[k.Name] = file
	return found
}

// plain is the form in a snapshot.
func (f Files) plain() map[string]any {
	out := make(map[string]any, len(f))
	for key, file := range f {
		out[key] = []any{file.Path, string(file.Sum[:]), file.Data.Reveal()}
	}
	return out
}

var errFiles = errors.New("files of an object are malformed")

// restoreFiles undoes plain.
func restoreFiles(v any) (Files, error) {
	table, ok := v.(map[string]any)
	if !ok {
		return nil, errFiles
	}
	files := make(Files, len(table))
	for key, item := range table {
		list, wrong := convertList(item)
		parts, ok := list.([]string)
		if wrong != nil || !ok || len(parts) != 3 || len(parts[1]) != sha256.Size {
			return nil, errFiles
		}
		file := File{Path: parts[0], Data: Secret(parts[2])}
		copy(file.Sum[:], parts[1])
		files[key] = file
	}
	return files, nil
}

// AllFiles lists the files that objects of the snapshot name, without what they hold, ordered by object and key.
func (s *Snapshot) AllFiles() ([]File, error) {
	var all []File
	for _, o := range s.objects {
		files, err := s.filesOf(o)
		if err != nil {
			return nil, err
		}
		for _, key := range sortedKeys(files) {
			all = append(all, File{Path: files[key].Path, Sum: files[key].Sum})
		}
	}
	return all, nil
}

func (s *Snapshot) filesOf(o Object) (Files, error) {
	switch o.Kind {
	case KindServer:
		server, err := s.Server(o.Name)
		if err != nil {
			return nil, err
		}
		return server.Files, nil
	case KindUpstream:
		upstream, err := s.Upstream(o.Name)
		if err != nil {
			return nil, err
		}
		return upstream.Files, nil
	case KindCertificate:
		certificate, err := s.Certificate(o.Name)
		if err != nil {
			return nil, err
		}
		return certificate.Files, nil
	}
	return nil, nil
}

// WithoutContents encodes the snapshot without what files hold, and gives its hash: their paths and sums are left. It is
// what may lie on a disk beside the files. For one that names no file, data is nil.
func (s *Snapshot) WithoutContents() (data []byte, sha Sha, err error) {
	if all, err := s.AllFiles(); err != nil || len(all) == 0 {
		return nil, Sha{}, err
	}
	c, err := s.Config()
	if err != nil {
		return nil, Sha{}, err
	}
	for _, o := range c.Servers {
		o.Files.empty()
	}
	for _, o := range c.Upstreams {
		o.Files.empty()
	}
	for _, o := range c.Certificates {
		o.Files.empty()
	}
	data, sha = Encode(c)
	return data, sha, nil
}

func (f Files) empty() {
	for key, file := range f {
		file.Data = ""
		f[key] = file
	}
}
