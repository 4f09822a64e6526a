package pages

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Release lets go of the resident pages of the executable.
func Release() error {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	data, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	var failed []error
	for _, m := range mappings(data, self) {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, uintptr(m.from), uintptr(m.to-m.from), unix.MADV_DONTNEED); errno != 0 {
			failed = append(failed, fmt.Errorf("pages: madvise: %w", errno))
		}
	}
	return errors.Join(failed...)
}

// Resident is how much memory of this process is resident, in bytes; 0 where that cannot be told.
func Resident() int {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), " ")
	text, _, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n * os.Getpagesize()
}

// mapping is a range of addresses.
type mapping struct{ from, to uint64 }

// mappings finds those of a file that are as they are in the file: nobody may write there, and nothing was changed by relocation
// (a page that was would be lost).
func mappings(smaps []byte, file string) []mapping {
	var all []mapping
	var now *mapping
	lines := bufio.NewScanner(bytes.NewReader(smaps))
	for lines.Scan() {
		line := lines.Text()
		if m, path, ok := header(line); ok {
			if now = nil; path == file {
				now = m
			}
			continue
		}
		kib, found := strings.CutPrefix(line, "Anonymous:")
		if now != nil && found && strings.TrimSpace(strings.TrimSuffix(kib, "kB")) == "0" {
			all = append(all, *now)
		}
	}
	return all
}

// header reads the first line of a mapping that nobody may write to: "400000-16e5000 r-xp 00000000 08:01 123 /usr/bin/pingap".
func header(line string) (*mapping, string, bool) {
	f := strings.Fields(line)
	if len(f) < 5 || strings.HasSuffix(f[0], ":") {
		return nil, "", false
	}
	low, high, ok := strings.Cut(f[0], "-")
	from, err1 := strconv.ParseUint(low, 16, 64)
	to, err2 := strconv.ParseUint(high, 16, 64)
	if !ok || err1 != nil || err2 != nil || to <= from {
		return nil, "", false
	}
	if len(f) < 6 || strings.Contains(f[1], "w") || !strings.Contains(f[1], "r") {
		return nil, "", true
	}
	return &mapping{from, to}, strings.Join(f[5:], " "), true
}
