package source

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// maxHops bounds the symbolic links followed in one path, as the kernel does.
const maxHops = 40

// points are the watched directories and the names that matter in each.
type points map[string]names

// names is a set of file names; all means that every name matters that could
// be one of the configuration's.
type names struct {
	all  bool
	only map[string]bool
}

// concern reports whether an event can have changed the configuration.
func (p points) concern(ev fsnotify.Event) bool {
	if ev.Op == fsnotify.Chmod {
		// A file that becomes readable matters, a touched directory does not.
		return filepath.Ext(ev.Name) == ".toml"
	}
	name := filepath.Base(ev.Name)
	n, ok := p[filepath.Dir(ev.Name)]
	if !ok {
		// The watched directory itself was moved or removed.
		_, ok = p[ev.Name]
		return ok
	}
	if n.only[name] {
		return true
	}
	return n.all && !strings.HasPrefix(name, ".") || p.has(ev.Name)
}

func (p points) has(dir string) bool {
	_, ok := p[dir]
	return ok
}

func (p points) add(dir, name string) {
	n := p[dir]
	if n.only == nil {
		n.only = map[string]bool{}
	}
	n.only[name] = true
	p[dir] = n
}

// watchPoints follows path from the root, over every symbolic link, and then
// down the tree when it ends at a directory. What does not exist yet is
// watched for by its name in the last directory that exists.
func watchPoints(path string) points {
	p := points{}
	end, ok := p.walk(path)
	if !ok {
		return p
	}
	if info, err := os.Stat(end); err == nil && info.IsDir() {
		p.tree(end, 0)
	}
	return p
}

// walk adds each step of path and returns where it leads without links.
func (p points) walk(path string) (end string, ok bool) {
	todo := split(path)
	dir, hops := "/", 0
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		if name == ".." {
			dir = filepath.Dir(dir)
			continue
		}
		p.add(dir, name)
		next := filepath.Join(dir, name)
		info, err := os.Lstat(next)
		if err != nil {
			return "", false
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			dir = next
			continue
		}
		target, err := os.Readlink(next)
		if hops++; err != nil || hops > maxHops {
			return "", false
		}
		if filepath.IsAbs(target) {
			dir = "/"
		}
		todo = append(split(target), todo...)
	}
	return dir, true
}

// tree adds a directory and those below it, and where the links in it lead.
func (p points) tree(dir string, depth int) {
	n := p[dir]
	if n.all || depth > maxDepth || len(p) > MaxFiles {
		return // been here: a link that leads back
	}
	n.all = true
	p[dir] = n
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			p.tree(path, depth+1)
		case e.Type()&fs.ModeSymlink != 0:
			end, ok := p.walk(path)
			if info, err := os.Stat(end); ok && err == nil && info.IsDir() {
				p.tree(end, depth+1)
			}
		}
	}
}

// split cuts a path into its names, without empty ones and dots; ".." stays,
// because behind a link it does not mean the name before it.
func split(path string) []string {
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		if part != "" && part != "." {
			parts = append(parts, part)
		}
	}
	return parts
}

// Watchable reports whether this user may watch the directories that the
// documents are in: for that they must be readable, for reading a document it
// is enough that they can be entered. Of a remote location it is the files that a connection needs.
func (l Location) Watchable(docs []Document) error {
	if l.Remote() {
		for _, path := range l.Etcd.Files() {
			if err := unix.Access(path, unix.R_OK); err != nil {
				return explain(path, &fs.PathError{Op: "open", Path: path, Err: err})
			}
		}
		return nil
	}
	seen := map[string]bool{}
	for _, d := range docs {
		real, err := filepath.EvalSymlinks(d.Path)
		if err != nil {
			return explain(d.Path, err)
		}
		dir := filepath.Dir(real)
		if seen[dir] {
			continue
		}
		seen[dir] = true
		if err := unix.Access(dir, unix.R_OK); err != nil {
			return fmt.Errorf("directory %s cannot be watched: %w for uid %d gid %d (chmod a+r makes it readable)",
				dir, err, os.Geteuid(), os.Getegid())
		}
	}
	return nil
}
