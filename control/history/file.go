package history

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"pingap/config"
)

const (
	magic = "pingap-version 1 "
	// maxHead bounds the two lines in front of a snapshot. Clipped changes need a fraction of it.
	maxHead = 1 << 20
	// maxSize bounds a snapshot, as everywhere else.
	maxSize = 1 << 30
)

// ErrDamaged is wrapped by every error about a file that is not a whole version of ours.
var ErrDamaged = errors.New("damaged")

// head makes the two lines in front of the snapshot.
func (s *Store) head(v Version) ([]byte, error) {
	line, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("version %d: %w", v.Number, err)
	}
	if len(line) > maxHead/2 {
		return nil, fmt.Errorf("version %d: %d bytes of description, limit %d", v.Number, len(line), maxHead/2)
	}
	return fmt.Appendf(nil, "%s%s\n%s\n", magic, s.sum(line), line), nil
}

func (s *Store) sum(line []byte) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write(line)
	return hex.EncodeToString(mac.Sum(nil))
}

// open opens a version and reads its head. The file then stands at the snapshot, of which only the size has been checked.
func (s *Store) open(number uint64) (*os.File, Version, error) {
	// O_NONBLOCK: a fifo in the place of a file must not be waited for.
	f, err := s.dir.OpenFile(name(number), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, Version{}, err
	}
	v, err := s.readHead(f)
	if err == nil && v.Number != number {
		err = fmt.Errorf("%w: it is version %d", ErrDamaged, v.Number)
	}
	if err != nil {
		f.Close()
		return nil, Version{}, err
	}
	return f, v, nil
}

func (s *Store) readHead(f *os.File) (v Version, err error) {
	info, err := f.Stat()
	if err != nil {
		return v, err
	}
	if !info.Mode().IsRegular() {
		return v, fmt.Errorf("%w: not a file", ErrDamaged)
	}
	data, err := readLines(f)
	if err != nil {
		return v, err
	}
	first, line, _ := bytes.Cut(data, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\n"))
	sum, ok := strings.CutPrefix(string(first), magic)
	if !ok || !hmac.Equal([]byte(sum), []byte(s.sum(line))) {
		return v, fmt.Errorf("%w: not written by this instance", ErrDamaged)
	}
	if err := json.Unmarshal(line, &v); err != nil {
		return v, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if v.Size > maxSize || info.Size() != int64(len(data))+v.Size {
		return v, fmt.Errorf("%w: %d bytes, expected %d", ErrDamaged, info.Size(), int64(len(data))+v.Size)
	}
	_, err = f.Seek(int64(len(data)), io.SeekStart)
	return v, err
}

// readLines reads the first two lines.
func readLines(f *os.File) ([]byte, error) {
	var data []byte
	block := make([]byte, 8<<10)
	for len(data) < maxHead {
		n, err := f.Read(block)
		data = append(data, block[:n]...)
		if first := bytes.IndexByte(data, '\n'); first >= 0 {
			if second := bytes.IndexByte(data[first+1:], '\n'); second >= 0 {
				return data[:first+second+2], nil
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: it has no head", ErrDamaged)
}

// Read returns a version and its snapshot, opened. A snapshot of another build may hold what this one does not know:
// decoding it finds out.
func (s *Store) Read(number uint64) (Version, *config.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == nil {
		return Version{}, nil, errClosed
	}
	f, v, err := s.open(number)
	if errors.Is(err, os.ErrNotExist) {
		return v, nil, fmt.Errorf("version %d %w", number, ErrNotKept)
	}
	if err != nil {
		return v, nil, fmt.Errorf("version %d: %w", number, err)
	}
	defer f.Close()
	data := make([]byte, v.Size)
	if _, err := io.ReadFull(f, data); err != nil {
		return v, nil, fmt.Errorf("version %d: %w", number, err)
	}
	snapshot, err := config.OpenSnapshot(data)
	if err != nil {
		return v, nil, fmt.Errorf("version %d: %w", number, err)
	}
	want := v.SHA
	if v.Stored != "" {
		want = v.Stored
	}
	if got := snapshot.Sha().String(); got != want {
		return v, nil, fmt.Errorf("version %d: %w: its sha256 is %s, expected %s", number, ErrDamaged, got, want)
	}
	return v, snapshot, nil
}
