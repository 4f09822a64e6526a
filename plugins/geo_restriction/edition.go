package georestriction

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/oschwald/maxminddb-golang/v2"
)

const (
	// maxFile bounds a database, which is held in memory. The largest with cities are below 200 MB.
	maxFile = 1 << 30
	// searched bounds how many networks are looked at for one with a country.
	searched = 10_000
	// slots is the number of records whose country an edition remembers. A database of countries has a few hundred.
	slots = 4096
)

var errNoCountries = errors.New("the database holds no countries (country.iso_code)")

// record is what is read of a record of a database: those of MaxMind with countries or cities, and others that are built like them.
type record struct {
	Country struct {
		Code string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
}

// edition is one state of the file. It is never closed: its memory goes when the last look-up is through.
type edition struct {
	reader *maxminddb.Reader
	// known remembers countries by the offset of their record, which many networks share: offset<<16 | country, 0 for free.
	known [slots]atomic.Uint64
}

// identity tells one state of a file from another.
type identity struct {
	device, inode  uint64
	size, modified int64 // modified in ns
}

func identify(path string) (identity, error) {
	info, err := os.Stat(path)
	if err != nil {
		return identity{}, err
	}
	return identityOf(info)
}

func identityOf(info os.FileInfo) (identity, error) {
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return identity{}, errors.New("expected a file of at most 1 GiB")
	}
	id := identity{size: info.Size(), modified: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		id.device, id.inode = st.Dev, st.Ino
	}
	return id, nil
}

// read reads a database into memory. A file that changes meanwhile is none.
func read(path string) (*edition, identity, error) {
	data, id, err := readFile(path)
	if err != nil {
		return nil, id, err
	}
	e, err := open(data)
	return e, id, err
}

// open makes an edition of the bytes of a file, which nobody changes from then on.
func open(data []byte) (*edition, error) {
	reader, err := maxminddb.OpenBytes(data)
	if err != nil {
		return nil, err
	}
	if err := judge(reader); err != nil {
		return nil, err
	}
	return &edition{reader: reader}, nil
}

func readFile(path string) ([]byte, identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, identity{}, err
	}
	defer f.Close()
	before, err := identityOfFile(f)
	if err != nil {
		return nil, before, err
	}
	data := make([]byte, before.size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, before, fmt.Errorf("read %s: %w", path, err)
	}
	if after, err := identityOfFile(f); err != nil || after != before {
		return nil, before, fmt.Errorf("read %s: it is being written", path)
	}
	return data, before, nil
}

func identityOfFile(f *os.File) (identity, error) {
	info, err := f.Stat()
	if err != nil {
		return identity{}, err
	}
	return identityOf(info)
}

// check judges a file without reading all of it, for a process that will not use it.
func check(path string) error {
	if _, err := identify(path); err != nil {
		return err
	}
	reader, err := maxminddb.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(judge(reader), reader.Close())
}

// judge refuses a database without countries: with it nobody would be on any list.
func judge(reader *maxminddb.Reader) error {
	n := 0
	for result := range reader.Networks() {
		var r record
		if err := result.Decode(&r); err == nil && r.Country.Code != "" {
			return nil
		}
		if n++; n == searched {
			break
		}
	}
	return errNoCountries
}

// country returns where an address is.
func (e *edition) country(address netip.Addr) country {
	result := e.reader.Lookup(address.Unmap())
	if !result.Found() {
		return unknown
	}
	offset := uint64(result.Offset())
	slot := &e.known[offset*0x9e3779b97f4a7c15>>52] // the upper 12 bits choose among 4096
	if word := slot.Load(); word>>16 == offset && word != 0 {
		return country(word & 0xffff)
	}
	var r record
	if result.Decode(&r) != nil {
		return unknown
	}
	c, _ := parseCountry(r.Country.Code)
	slot.Store(offset<<16 | uint64(c))
	return c
}
