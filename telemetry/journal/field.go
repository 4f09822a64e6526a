package journal

import (
	"encoding/binary"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Socket is where the journal listens.
const Socket = "/run/systemd/journal/socket"

// maxName is the longest name of a field that the journal takes.
const maxName = 64

// Connected reports whether descriptor fd is the stream that the environment variable JOURNAL_STREAM names: device and
// inode in decimal with a colon between them. Only then does what is written there reach the journal anyway; the variable
// alone is also inherited by those whose output somebody has redirected.
func Connected(stream string, fd int) bool {
	device, inode, found := strings.Cut(stream, ":")
	var st unix.Stat_t
	if !found || unix.Fstat(fd, &st) != nil {
		return false
	}
	return device == strconv.FormatUint(uint64(st.Dev), 10) && inode == strconv.FormatUint(st.Ino, 10)
}

// Name makes the name of a field: prefix, an underscore, and key with all but letters and digits as underscores.
func Name(prefix, key string) string {
	name := []byte(prefix + "_" + key)
	for i, c := range name {
		switch {
		case c >= 'a' && c <= 'z':
			name[i] = c - 'a' + 'A'
		case c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
		default:
			name[i] = '_'
		}
	}
	return string(name[:min(len(name), maxName)])
}

// AppendField appends a field whose name is as the journal wants it. Values may hold any bytes: those with newlines are sent
// with their length, so that no value can add a field.
func AppendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	if strings.IndexByte(value, '\n') < 0 {
		dst = append(dst, '=')
	} else {
		dst = binary.LittleEndian.AppendUint64(append(dst, '\n'), uint64(len(value)))
	}
	return append(append(dst, value...), '\n')
}
