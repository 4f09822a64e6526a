package cache

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"pingap/config"
	"pingap/plugins"
	"pingap/worker/cache"
	"pingap/worker/tally"
)

const (
	// maxMemory is the most that memory has by default.
	maxMemory = 1 << 30
	// unknownMemory is taken where the system does not say how much is free.
	unknownMemory = 256 << 20
	minStore      = 1 << 20
)

// place is where responses are stored.
type place struct {
	memory int64 // bytes; 0 for the default
	share  int64 // of the default, in per cent; 0 for all of it
	files  cache.FileOptions
}

// parseDirectory reads the value of "directory".
func parseDirectory(text string) (p place, err error) {
	refuse := func(format string, args ...any) (place, error) {
		return place{}, plugins.Errorf("directory", format, args...)
	}
	path, query, _ := strings.Cut(text, "?")
	options, err := url.ParseQuery(query)
	if err != nil {
		return refuse("expected options such as ?max_size=10gb")
	}
	if strings.Contains(path, "://") && path != "memory://" && !strings.HasPrefix(path, "file:///") {
		return refuse("expected a path, or memory://")
	}
	read := p.fileOption
	if path == "" || path == "memory://" {
		read = p.memoryOption
	} else {
		path = strings.TrimPrefix(path, "file://")
		if p.files.Dir, err = filepath.Abs(path); err != nil || strings.ContainsRune(path, 0) || p.files.Dir == "/" {
			return refuse("expected the path of a directory")
		}
		p.files.Levels = []int{1, 2}
	}
	for name, values := range options {
		if err := read(&p, name, values[0]); err != nil {
			return refuse("%s: %v", name, err)
		}
	}
	return p, nil
}

func (place) memoryOption(p *place, name, text string) error {
	switch name {
	case "mode":
		return nil // of an algorithm that is another one here
	case "max_size":
		if share, err := strconv.ParseInt(text, 10, 64); err == nil {
			if share < 1 || share > 100 {
				return fmt.Errorf("expected 1 to 100 per cent, or a size such as 100mb")
			}
			p.share = share
			return nil
		}
		n, err := config.ParseSize(text)
		if err == nil && n < minStore {
			return fmt.Errorf("expected at least 1mib")
		}
		p.memory = int64(n)
		return err
	}
	return fmt.Errorf("expected max_size or mode")
}

func (place) fileOption(p *place, name, text string) error {
	switch name {
	case "max_size":
		n, err := config.ParseSize(text)
		if err == nil && n < minStore {
			return fmt.Errorf("expected at least 1mib")
		}
		p.files.MaxSize = int64(n)
		return err
	case "inactive":
		d, err := config.ParseDuration(text)
		p.files.Inactive = d.Std()
		return err
	case "levels":
		return p.readLevels(text)
	case "reading_max", "writing_max", "cache_max", "cache_file_max_weight":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("expected a number")
		}
		switch name {
		case "reading_max":
			p.files.ReadingMax = n
		case "writing_max":
			p.files.WritingMax = n
		}
		return nil // the system's memory for files is in front of them in any case
	}
	return fmt.Errorf("expected max_size, inactive, levels, reading_max, writing_max, cache_max or cache_file_max_weight")
}

func (p *place) readLevels(text string) error {
	p.files.Levels = nil
	for each := range strings.SplitSeq(text, ":") {
		n, err := strconv.Atoi(each)
		if err != nil || n < 1 || n > 3 || len(p.files.Levels) == 2 {
			return fmt.Errorf("expected one or two numbers from 1 to 3, such as 1:2")
		}
		p.files.Levels = append(p.files.Levels, n)
	}
	return nil
}

// name is the same for all instances that share a store.
func (p *place) name() string {
	if p.files.Dir != "" {
		return fmt.Sprintf("cache files %+v", p.files)
	}
	return fmt.Sprintf("cache memory %d %d", p.memory, p.share)
}

// open returns the store that all instances of the process with the same settings have.
func (p *place) open(s *plugins.Services) (*cache.Cache, error) {
	c := s.Keep(p.name(), func() any {
		if p.files.Dir != "" {
			o := p.files
			o.Counts = tally.NewStorage(s.Arena)
			return cache.NewFiles(o)
		}
		return cache.NewMemory(p.bytes())
	}).(*cache.Cache)
	return c, c.Open()
}

func (p *place) bytes() int64 {
	if p.memory > 0 {
		return p.memory
	}
	all := int64(maxMemory)
	if free := freeMemory(); free/8 < all {
		all = free / 8
	}
	if p.share > 0 {
		all = all / 100 * p.share
	}
	return max(all, minStore)
}

// freeMemory is what the system, or the group that the process is in, has left.
func freeMemory() int64 {
	free := int64(unknownMemory)
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		if _, rest, ok := bytes.Cut(text, []byte("MemAvailable:")); ok {
			fields := bytes.Fields(rest)
			if n, err := strconv.ParseInt(string(fields[0]), 10, 64); err == nil {
				free = n << 10
			}
		}
	}
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64); err == nil {
			free = min(free, n)
		}
	}
	return free
}
