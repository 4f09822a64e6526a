package cache

import (
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// spool is a file that is being written.
type spool struct {
	owner *files
	file  *os.File
	path  string // empty once it has its name
	head  []byte
	crc   uint32
	took  time.Duration // for writing
}

// spool begins a file.
func (s *files) spool(h *Head) (*spool, bool) {
	if s.writers(1) > s.options.WritingMax && s.options.WritingMax > 0 || s.full() {
		s.writers(-1)
		return nil, false
	}
	p := &spool{owner: s, head: encodeHead(h)}
	p.path = filepath.Join(s.spools, strconv.FormatUint(s.number.Add(1), 10))
	err := errTorn
	if len(p.head) <= maxHead {
		p.file, err = os.OpenFile(p.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if os.IsNotExist(err) && s.revive() {
			p.file, err = os.OpenFile(p.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		}
	}
	if err != nil {
		s.writers(-1)
		return nil, false
	}
	if _, err := p.file.WriteAt(p.head, preludeSize); err != nil {
		p.close()
		return nil, false
	}
	return p, true
}

// writers counts who writes, here and for the metrics.
func (s *files) writers(n int64) int64 {
	s.options.Counts.Writing(n)
	return s.writing.Add(n)
}

// write takes bytes of the body, in their order.
func (p *spool) write(b []byte, at int64) error {
	p.crc = crc32.Update(p.crc, castagnoli, b)
	began := time.Now()
	defer func() { p.took += time.Since(began) }()
	_, err := p.file.WriteAt(b, preludeSize+int64(len(p.head))+at)
	return err
}

func (p *spool) read(b []byte, at int64) error {
	_, err := p.file.ReadAt(b, preludeSize+int64(len(p.head))+at)
	return err
}

// close gives the file back, and removes it if it has not got its name.
func (p *spool) close() {
	_ = p.file.Close() // what matters was told by the writes
	if p.path != "" {
		_ = os.Remove(p.path) // the next start cleans up otherwise
	}
	p.owner.writers(-1)
}

// commit gives a spool its head and its name.
func (s *files) commit(k Key, p *spool, h *Head) bool {
	began := time.Now()
	pre := prelude{body: h.Length, crc: p.crc, boot: s.boot}
	if _, err := p.file.WriteAt(pre.encode(p.head), 0); err != nil {
		return false
	}
	path := s.path(k)
	before := sizeOf(path)
	err := os.Rename(p.path, path)
	if os.IsNotExist(err) { // the sub directory
		if os.MkdirAll(filepath.Dir(path), 0o700) == nil {
			err = os.Rename(p.path, path)
		}
	}
	if err != nil {
		return false
	}
	p.path = ""
	s.options.Counts.Wrote(p.took + time.Since(began))
	s.count(onDisk(preludeSize+int64(len(p.head))+h.Length) - before)
	return true
}

// put stores an object whose body is in memory.
func (s *files) put(k Key, h *Head, body []byte) bool {
	p, ok := s.spool(h)
	if !ok {
		return false
	}
	defer p.close()
	if len(body) > 0 && p.write(body, 0) != nil {
		return false
	}
	whole := *h
	whole.Length = int64(len(body))
	return s.commit(k, p, &whole)
}

// rewrite stores the body of an object with another head.
func (s *files) rewrite(k Key, old *Object, h *Head) bool {
	p, ok := s.spool(h)
	if !ok {
		return false
	}
	defer p.close()
	buf := make([]byte, min(pieceMax, old.Length))
	for at := int64(0); at < old.Length; {
		n := min(int64(len(buf)), old.Length-at)
		if _, err := old.File.ReadAt(buf[:n], old.Offset+at); err != nil {
			return false
		}
		if p.write(buf[:n], at) != nil {
			return false
		}
		at += n
	}
	return s.commit(k, p, h)
}
