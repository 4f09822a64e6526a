package archive

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pingap/telemetry"
)

// asideLayout is the time in the name of a file that has grown too large.
const asideLayout = "20060102T150405.000Z"

// AsideName is what the file at path is called once it was put aside.
func AsideName(path string, now time.Time) string { return path + "." + now.UTC().Format(asideLayout) }

// Extensions of compressed files.
const (
	gzipExtension = ".gz"
	zstdExtension = ".zst"
)

// family are the names that files of one log may have.
type family struct {
	folder  string
	base    string   // "" where the date is the whole name
	layouts []string // of dates in the name; none where it has no date
}

// familyOf takes the path of a log apart. current is the file that is written now, which tells a directory from a file.
func familyOf(path, rolling, current string) family {
	dates := []string{time.DateOnly, "2006-01-02-15", "2006-01-02-15-04"} // rolling may have been another before
	if filepath.Dir(current) == filepath.Clean(path) {
		return family{folder: filepath.Clean(path), layouts: dates}
	}
	f := family{folder: filepath.Dir(path), base: filepath.Base(path)}
	if cmp.Or(rolling, telemetry.RollNever) != telemetry.RollNever {
		f.layouts = dates
	}
	return f
}

// plain takes the extension of compression off a name that is one of the family's.
func (f family) plain(name string) (plain string, ours bool) {
	plain = strings.TrimSuffix(strings.TrimSuffix(name, gzipExtension), zstdExtension)
	rest := plain
	if f.base != "" {
		var ok bool
		if rest, ok = strings.CutPrefix(plain, f.base); !ok {
			return "", false
		}
		if rest, ok = strings.CutPrefix(rest, "."); !ok {
			return "", false
		}
	}
	if plain != name { // the number of an archive whose name was taken
		if before, number, ok := cutLast(rest); ok && isNumber(number) {
			rest = before
		}
	}
	return plain, f.isSuffix(rest)
}

// isSuffix tells a date, the time at which a file was put aside, or both from everything else.
func (f family) isSuffix(rest string) bool {
	if len(f.layouts) == 0 {
		return isTime(rest, asideLayout)
	}
	for _, layout := range f.layouts {
		if isTime(rest, layout) {
			return true
		}
		if len(rest) > len(layout) && isTime(rest[:len(layout)], layout) && rest[len(layout)] == '.' && isTime(rest[len(layout)+1:], asideLayout) {
			return true
		}
	}
	return false
}

func isTime(text, layout string) bool {
	at, err := time.Parse(layout, text)
	return err == nil && at.Format(layout) == text
}

func cutLast(text string) (before, after string, ok bool) {
	i := strings.LastIndexByte(text, '.')
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}

// isNumber is for those that free gives: 2 to 9999.
func isNumber(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= 2 && n <= maxTaken && strconv.Itoa(n) == text
}

// maxTaken bounds the archives of one name.
const maxTaken = 9999

// archiveName is the name of the n-th archive of a file.
func archiveName(name, extension string, n int) string {
	if n < 2 {
		return name + extension
	}
	return fmt.Sprintf("%s.%d%s", name, n, extension)
}

func temporaryName(name, extension string) string { return "." + name + extension + ".tmp" }

// isTemporary reports whether name is one that temporaryName gives, and to which file.
func isTemporary(name string) (of string, ok bool) {
	rest, ok := strings.CutSuffix(name, ".tmp")
	if !ok || !strings.HasPrefix(rest, ".") {
		return "", false
	}
	for _, e := range []string{gzipExtension, zstdExtension} {
		if of, ok := strings.CutSuffix(rest[1:], e); ok {
			return of, true
		}
	}
	return "", false
}
