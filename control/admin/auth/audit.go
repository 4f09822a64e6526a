package auth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"
)

// Bounds of the audit log.
const (
	auditFile    = "audit.log"
	auditBefore  = "audit.log.1"
	maxAuditFile = 4 << 20 // bytes, of each of the two files
	maxAudit     = 1000    // entries in memory
	maxWord      = 256     // bytes of each text of an entry
	strangers    = 60      // entries an hour of those who could not log in: they must not push out what was done
)

// Entry says who did what.
type Entry struct {
	At      time.Time `json:"at"`
	User    string    `json:"user"`
	Addr    string    `json:"addr,omitempty"`
	How     string    `json:"how"`
	Method  string    `json:"method"`
	Path    string    `json:"path"`
	What    string    `json:"what,omitempty"`
	Result  string    `json:"result"`
	Version uint64    `json:"version,omitempty"`
}

// audit keeps entries in memory and in a file.
type audit struct {
	log *zap.Logger

	mu      sync.Mutex // guards what follows, and is held while the file is written
	entries []Entry    // oldest first, at most maxAudit
	folder  *os.Root   // nil for memory only
	file    *os.File
	size    int64
	failing bool // the last write failed: it is not said again

	hour    time.Time // that count is of
	unknown int       // entries of strangers in it
}

// keep goes on in the folder's file, and reads what is there.
func (a *audit) keep(folder *os.Root) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.folder = folder
	if err := a.openLocked(); err != nil {
		return err
	}
	for _, name := range []string{auditFile, auditBefore} {
		data, err := readFile(folder, name, 2*maxAuditFile)
		if err != nil {
			return err
		}
		if a.entries = append(entriesOf(data), a.entries...); len(a.entries) >= maxAudit {
			break
		}
	}
	a.trimLocked()
	return nil
}

// entriesOf reads the last entries of a file. Lines that make no sense, as of a write that was cut off, are left out.
func entriesOf(data []byte) []Entry {
	lines := bytes.Split(data, []byte("\n"))
	var all []Entry
	for _, line := range lines[max(len(lines)-maxAudit-1, 0):] {
		var e Entry
		if json.Unmarshal(line, &e) == nil {
			all = append(all, e)
		}
	}
	return all
}

func (a *audit) openLocked() error {
	f, err := a.folder.OpenFile(auditFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", auditFile, err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", auditFile, err)
	}
	a.file, a.size = f, info.Size()
	return nil
}

func (a *audit) trimLocked() {
	if n := len(a.entries) - maxAudit; n > 0 {
		a.entries = slices.Delete(a.entries, 0, n)
	}
}

// add enters what somebody did. What cannot be written to the file is in the application log all the same.
func (a *audit) add(e Entry) {
	for _, text := range []*string{&e.User, &e.Addr, &e.Method, &e.Path, &e.What, &e.Result} {
		*text = plain(*text)
	}
	a.log.Info("audit", zap.String("user", e.User), zap.String("addr", e.Addr), zap.String("how", e.How), zap.String("method", e.Method),
		zap.String("path", e.Path), zap.String("what", e.What), zap.String("result", e.Result), zap.Uint64("version", e.Version))
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entries = append(a.entries, e)
	a.trimLocked()
	if err := a.writeLocked(e); err != nil && !a.failing {
		a.failing = true
		a.log.Error("the audit log cannot be written", zap.Error(err))
	}
}

func (a *audit) writeLocked(e Entry) error {
	if a.file == nil {
		return nil
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if a.size += int64(len(line)) + 1; a.size > maxAuditFile {
		if err := a.folder.Rename(auditFile, auditBefore); err != nil {
			return err
		}
		a.file.Close()
		a.file = nil
		if err := a.openLocked(); err != nil {
			return err
		}
		a.size += int64(len(line)) + 1
	}
	if _, err := a.file.Write(append(line, '\n')); err != nil {
		return err
	}
	a.failing = false
	return nil
}

// stranger enters a failed login, unless there are too many. They are counted by the hour.
func (a *audit) stranger(e Entry) {
	a.mu.Lock()
	if hour := e.At.Truncate(time.Hour); hour != a.hour {
		a.hour, a.unknown = hour, 0
	}
	a.unknown++
	many := a.unknown > strangers
	a.mu.Unlock()
	if !many {
		a.add(e)
	}
}

// last returns the newest entries, newest first.
func (a *audit) last(n int) []Entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := slices.Clone(a.entries[max(len(a.entries)-n, 0):])
	slices.Reverse(all)
	return all
}

// plain makes a text fit to be read by people in a terminal: what does not print is escaped, and what is long is cut.
func plain(text string) string {
	if len(text) > maxWord {
		text = strings.ToValidUTF8(text[:maxWord], "") + "..."
	}
	if !strings.ContainsFunc(text, unprintable) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unprintable(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func unprintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
