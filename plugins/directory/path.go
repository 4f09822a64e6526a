package directory

import (
	"bytes"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"pingap/message"
	"pingap/plugins"
)

// nameVerdict says what the path of a request stands for.
type nameVerdict uint8

const (
	nameFile      nameVerdict = iota // whatever has this name
	nameDirectory                    // the path ends in a slash, and so does the name
	nameUnknown                      // nothing can be there
	nameForbidden                    // it leads out of the root
)

// readRoot makes the directory absolute. It need not be there yet.
func readRoot(text string) (string, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return "", plugins.Errorf("path", "expected a directory, found a NUL")
	}
	if text == "~" || strings.HasPrefix(text, "~/") {
		me, err := user.Current()
		if err != nil || me.HomeDir == "" {
			return "", plugins.Errorf("path", "the home directory is not known")
		}
		text = me.HomeDir + text[1:]
	}
	root, err := filepath.Abs(text)
	if err != nil {
		return "", plugins.Errorf("path", "the working directory is not known")
	}
	if stat, err := os.Stat(root); err == nil && !stat.IsDir() {
		return "", plugins.Errorf("path", "expected a directory, found a file")
	}
	return strings.TrimSuffix(root, "/") + "/", nil
}

// appendName appends the name that the path of a request has below the root: dst ends in the root's slash.
func (d *directory) appendName(dst []byte, r *message.Request) ([]byte, nameVerdict) {
	path := r.NormalPath()
	if len(path) == 0 || path[0] != '/' {
		return dst, nameUnknown
	}
	// A normal form that is the path itself shares its memory; only another one may come of a path that climbs.
	if &path[0] != &r.Path[0] && climbs(r.Path) {
		return dst, nameForbidden
	}
	return appendDecoded(dst, path[1:], d.hidden)
}

// appendDecoded appends a path in normal form, without its first slash, decoded. What was escaped is never decoded again, and is no
// separator.
func appendDecoded(dst, path []byte, hidden bool) ([]byte, nameVerdict) {
	segment := len(dst)
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' && i+2 < len(path) {
			if high, low := message.Unhex(path[i+1]), message.Unhex(path[i+2]); high >= 0 && low >= 0 {
				c = byte(high<<4 | low)
				i += 2
				if c == '/' || c == 0 {
					return dst, nameUnknown
				}
				dst = append(dst, c)
				continue
			}
		}
		if c == 0 {
			return dst, nameUnknown
		}
		dst = append(dst, c)
		if c == '/' {
			if !allowed(dst[segment:len(dst)-1], hidden) {
				return dst, nameUnknown
			}
			segment = len(dst)
		}
	}
	if segment == len(dst) {
		return dst, nameDirectory
	}
	if !allowed(dst[segment:], hidden) {
		return dst, nameUnknown
	}
	return dst, nameFile
}

// allowed judges a decoded segment. The normal form has no empty ones and none of dots, but this is where that counts.
func allowed(segment []byte, hidden bool) bool {
	if len(segment) == 0 {
		return false
	}
	if segment[0] != '.' {
		return true
	}
	switch string(segment) {
	case ".", "..":
		return false
	case ".well-known": // RFC 8615
		return true
	}
	return hidden
}

// climbs tells whether a path leads above its root on its way.
func climbs(path []byte) bool {
	depth := 0
	for segment := range bytes.SplitSeq(path, []byte("/")) {
		switch dots(segment) {
		case 0:
			depth++
		case 2:
			if depth--; depth < 0 {
				return true
			}
		}
	}
	return false
}

// dots returns 2 for a segment that leads upward, 1 for one that leads nowhere, 0 for a name.
func dots(segment []byte) int {
	n := 0
	for ; len(segment) > 0; n++ {
		switch {
		case segment[0] == '.':
			segment = segment[1:]
		case len(segment) >= 3 && segment[0] == '%' && segment[1] == '2' && segment[2]|0x20 == 'e':
			segment = segment[3:]
		default:
			return 0
		}
	}
	switch n {
	case 0, 1:
		return 1
	case 2:
		return 2
	}
	return 0
}
