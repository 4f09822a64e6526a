package auth

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// readFile reads a file that is not longer than limit; nil where there is none.
func readFile(folder *os.Root, name string, limit int64) ([]byte, error) {
	f, err := folder.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("longer than %d bytes", limit)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// replaceFile puts a file in the place of one of the same name in one step.
func replaceFile(folder *os.Root, name string, data []byte) error {
	temporary := name + ".new"
	_ = folder.Remove(temporary) // of a process that was killed, perhaps of another user
	f, err := folder.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = folder.Rename(temporary, name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
