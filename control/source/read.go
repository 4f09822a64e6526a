package source

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Limits on one configuration. A location of its own per file and 10,000 of
// them is a large installation; these leave room for ten times that.
const (
	MaxFiles = 100_000
	MaxBytes = 64 << 20 // over all files
	maxDepth = 16       // directories below the root
)

var errTooLarge = fmt.Errorf("more than %d MiB in all files together", MaxBytes>>20)

// Document is one file of the configuration.
type Document struct {
	Path string `json:"path"`
	Data []byte `json:"data"`
}

// Read returns all documents of the location in alphabetical order of their
// paths. A directory is read recursively for names that end in .toml; names
// that begin with a dot are left out, because editors keep lock files there
// and Kubernetes keeps a second copy of every file.
//
// A path that does not exist, or holds nothing, is an error: a running proxy
// must not take a file that was lost for the wish to serve nothing.
func (l Location) Read() ([]Document, error) {
	switch {
	case l.Fixed():
		return []Document{{Path: l.Path, Data: []byte(l.Text)}}, nil
	case l.Remote():
		r := NewRemote(l)
		defer r.Close()
		return r.Read(context.Background())
	}
	info, err := os.Stat(l.Path)
	if err != nil {
		return nil, explain(l.Path, err)
	}
	r := reader{left: MaxBytes}
	if !info.IsDir() {
		err = r.file(l.Path)
		return r.docs, err
	}
	if err := r.dir(l.Path, 0, nil); err != nil {
		return nil, err
	}
	if len(r.docs) == 0 {
		return nil, r.nothing(l.Path)
	}
	return r.docs, nil
}

// Digest names the contents of documents: hex sha256 over names and data.
func Digest(docs []Document) string {
	h := sha256.New()
	for _, d := range docs {
		var size [16]byte
		binary.BigEndian.PutUint64(size[:8], uint64(len(d.Path)))
		binary.BigEndian.PutUint64(size[8:], uint64(len(d.Data)))
		h.Write(size[:])
		io.WriteString(h, d.Path)
		h.Write(d.Data)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// reader collects documents within the limits.
type reader struct {
	docs  []Document
	left  int64  // bytes that may still be read
	other string // a file of a format that is not supported yet
}

func (r *reader) nothing(path string) error {
	if r.other != "" {
		return fmt.Errorf("configuration %s: no .toml file; the format of %s is %w", path, r.other, ErrUnsupported)
	}
	return fmt.Errorf("configuration %s: the directory %w (no .toml file below it)", path, ErrEmpty)
}

func (r *reader) dir(path string, depth int, above []os.FileInfo) error {
	if depth > maxDepth {
		return fmt.Errorf("configuration %s: more than %d directories deep", path, maxDepth)
	}
	self, err := os.Stat(path)
	if err != nil {
		return explain(path, err)
	}
	for _, a := range above {
		if os.SameFile(a, self) {
			return nil // a symbolic link that leads back up
		}
	}
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return explain(path, err)
	}
	above = append(above[:len(above):len(above)], self)
	for _, e := range entries {
		if err := r.entry(filepath.Join(path, e.Name()), e, depth, above); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) entry(path string, e fs.DirEntry, depth int, above []os.FileInfo) error {
	if strings.HasPrefix(e.Name(), ".") {
		return nil
	}
	dir := e.IsDir()
	if e.Type()&fs.ModeSymlink != 0 {
		info, err := os.Stat(path)
		if err != nil && filepath.Ext(path) != ".toml" {
			return nil // dangling, and none of ours
		}
		if err != nil {
			return explain(path, err)
		}
		dir = info.IsDir()
	}
	if dir {
		return r.dir(path, depth+1, above)
	}
	switch filepath.Ext(path) {
	case ".toml":
		return r.file(path)
	case ".hcl", ".kdl":
		r.other = path
	}
	return nil
}

func (r *reader) file(path string) error {
	if len(r.docs) == MaxFiles {
		return fmt.Errorf("configuration %s: more than %d files", path, MaxFiles)
	}
	// O_NONBLOCK: opening a fifo must not wait for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return explain(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return explain(path, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("configuration %s: not a regular file", path)
	}
	data, err := readAtMost(f, info.Size(), r.left)
	if err != nil {
		return explain(path, err)
	}
	r.left -= int64(len(data))
	r.docs = append(r.docs, Document{Path: path, Data: data})
	return nil
}

// readAtMost reads the whole file, or nothing of one that is larger than left.
func readAtMost(f *os.File, size, left int64) ([]byte, error) {
	if size > left {
		return nil, errTooLarge
	}
	data, err := io.ReadAll(io.LimitReader(f, left+1))
	if int64(len(data)) > left {
		return nil, errTooLarge // it grew meanwhile
	}
	return data, err
}

// explain says what a user can do about a file of the configuration that cannot be read.
func explain(path string, err error) error {
	return fmt.Errorf("configuration %w", why(path, err))
}

// why says what a user can do about a file that cannot be read.
func why(path string, err error) error {
	var perr *fs.PathError
	if errors.As(err, &perr) {
		err = perr.Err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s %w", path, ErrNotFound)
	}
	if !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w", path, err)
	}
	uid, gid := os.Geteuid(), os.Getegid()
	info, serr := os.Stat(path)
	if serr != nil {
		return fmt.Errorf("%s: %w for uid %d gid %d: a directory above it may not be entered (chmod +x)", path, err, uid, gid)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: %w", path, err)
	}
	return fmt.Errorf("%s: %w for uid %d gid %d: it belongs to uid %d gid %d with mode %04o (chgrp %d and chmod g+r make it readable)",
		path, err, uid, gid, st.Uid, st.Gid, info.Mode().Perm(), gid)
}
