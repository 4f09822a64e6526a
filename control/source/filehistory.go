package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What an item held before is in DIR-history, a file each: the key with - for /, then - and the second it was overwritten in. Only
// the layout of one file an object has a history.

func (s *fileStore) history() bool { return s.kind == ByItem && s.loc.History }

func (s *fileStore) historyDir() string { return filepath.Clean(s.loc.Path) + historyTail }

func historyName(key string) string { return strings.ReplaceAll(key, "/", "-") + "-" }

// keep keeps what is about to be overwritten. Of two in one second the first is kept: it is the one that had been there for longer.
func (s *fileStore) keep(key string, data []byte, now time.Time) error {
	if !s.history() || len(data) == 0 {
		return nil
	}
	// Closed to others, whatever the configuration is: nobody looks after old copies.
	if err := os.MkdirAll(s.historyDir(), 0o700); err != nil {
		return explain(s.historyDir(), err)
	}
	path := filepath.Join(s.historyDir(), historyName(key)+strconv.FormatInt(now.Unix(), 10))
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	if err := replace(path, data); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return explain(path, err)
	}
	all, err := s.former(key)
	if err != nil {
		return err
	}
	for _, f := range all[min(len(all), keptItems):] {
		if err := os.Remove(filepath.Join(s.historyDir(), historyName(key)+f.ID)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return explain(s.historyDir(), err)
		}
	}
	return nil
}

// former lists what is kept of an item, newest first, without its content.
func (s *fileStore) former(key string) ([]Former, error) {
	if !s.history() {
		return nil, nil
	}
	entries, err := os.ReadDir(s.historyDir())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, explain(s.historyDir(), err)
	}
	var all []Former
	for _, e := range entries {
		id, ours := strings.CutPrefix(e.Name(), historyName(key))
		seconds, err := strconv.ParseInt(id, 10, 64)
		if ours && err == nil && seconds >= 0 && e.Type().IsRegular() {
			all = append(all, Former{ID: id, At: time.Unix(seconds, 0)})
		}
	}
	slices.SortFunc(all, func(a, b Former) int { return cmp.Compare(b.At.Unix(), a.At.Unix()) })
	return all, nil
}

func (s *fileStore) History(_ context.Context, key string) ([]Former, error) {
	if _, err := s.path(key); err != nil {
		return nil, err
	}
	all, err := s.former(key)
	all = all[:min(len(all), keptItems)]
	for i := range all {
		path := filepath.Join(s.historyDir(), historyName(key)+all[i].ID)
		r := reader{left: MaxBytes}
		if err := r.file(path); err != nil {
			return nil, fmt.Errorf("history: %w", err)
		}
		all[i].Data = r.docs[0].Data
	}
	return all, err
}
