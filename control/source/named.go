package source

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"pingap/config"
)

// maxNamed bounds a file that a key of the configuration names, in bytes. A certificate with its chain has a few thousand.
const maxNamed = 1 << 20

// Named reads files that keys of the configuration name, as config.Options.ReadFile.
func (b Base) Named(path string, names []string) (config.FileRead, error) {
	path, err := Absolute(path, b)
	if err != nil {
		return config.FileRead{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return config.FileRead{}, why(path, err)
	}
	found := config.FileRead{Path: path, Directory: info.IsDir()}
	if found.Directory {
		if found.Path, err = search(path, names); err != nil {
			return config.FileRead{}, err
		}
	}
	found.Data, err = readNamed(found.Path)
	return found, err
}

// search finds the first of the names in a directory.
func search(dir string, names []string) (string, error) {
	if len(names) == 0 {
		return "", fmt.Errorf("%s: expected a file, found a directory", dir)
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		} else if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", why(path, err)
		}
	}
	return "", fmt.Errorf("%s: expected one of %s in the directory, found none", dir, strings.Join(names, ", "))
}

// readNamed reads a whole file of bounded size.
func readNamed(path string) ([]byte, error) {
	// O_NONBLOCK: opening a fifo must not wait for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, why(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, why(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	data, err := readAtMost(f, info.Size(), maxNamed)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, fmt.Errorf("%s: larger than %d KiB", path, maxNamed>>10)
	case err != nil:
		return nil, why(path, err)
	case len(data) == 0:
		return nil, fmt.Errorf("%s: the file is empty", path)
	}
	return data, nil
}

// FilesDigest names the contents of files that configurations name, as FoundDigest does with what was found at a load. One that cannot be read
// counts as well, with no contents.
func FilesDigest(paths []string) string {
	files := make([]config.File, 0, len(paths))
	for _, path := range paths {
		file := config.File{Path: path}
		if data, err := readNamed(path); err == nil {
			file.Sum = sha256.Sum256(data)
		}
		files = append(files, file)
	}
	return FoundDigest(files)
}

// FoundDigest names the contents of files by their sums: hex sha256 over paths and sums. Each file counts once.
func FoundDigest(files []config.File) string {
	lines := make([]string, 0, len(files))
	for _, f := range files {
		lines = append(lines, f.Path+"\x00"+f.Sum.String()+"\n")
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(lines), "")))
	return hex.EncodeToString(sum[:])
}
