package directory

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openFlags let no name be waited for: a pipe without a writer opens at once.
const openFlags = syscall.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY | syscall.O_CLOEXEC

// What may come of a name, beside what the system says.
var (
	errSpecial   = errors.New("no regular file and no directory")
	errForbidden = errors.New("outside of the directory")
)

// opened is a regular file or a directory that was opened. Either take or close is called, once.
type opened struct {
	fd   int // where file is nil
	name string
	file *os.File
	body []byte // of a file that is kept in memory: there is no descriptor; nil else
	stat syscall.Stat_t
}

// open opens a name below the root, as it is now.
func (d *directory) open(name string) (o opened, err error) {
	o.name = name
	if d.memory.find(name, &o) {
		return o, nil
	}
	if !d.follow {
		err = d.openInside(&o)
	} else {
		err = o.openAnywhere()
	}
	if err != nil {
		return o, err
	}
	switch o.stat.Mode & syscall.S_IFMT {
	case syscall.S_IFREG, syscall.S_IFDIR:
		d.memory.keep(&o)
		return o, nil
	}
	o.close()
	return o, errSpecial
}

// openAnywhere lets links lead where they want. An *os.File is made later, if at all: it costs two system calls.
func (o *opened) openAnywhere() (err error) {
	for {
		o.fd, err = syscall.Open(o.name, openFlags, 0)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		return err
	}
	if err = syscall.Fstat(o.fd, &o.stat); err != nil {
		o.close()
	}
	return err
}

// openInside lets no link lead out of the root, whatever changes meanwhile.
func (d *directory) openInside(o *opened) error {
	root, err := os.OpenRoot(d.root)
	if err != nil {
		return err
	}
	defer root.Close()
	if o.file, err = root.OpenFile(d.below(o.name), openFlags, 0); err != nil {
		return insideError(err)
	}
	info, err := o.file.Stat()
	if err != nil {
		o.close()
		return err
	}
	o.stat = *info.Sys().(*syscall.Stat_t)
	return nil
}

// below returns a name relative to the root.
func (d *directory) below(name string) string {
	if name = name[len(d.root):]; name == "" {
		return "."
	}
	return name
}

// insideError tells what os.Root itself refuses, which has no error number, from what the system does.
func insideError(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errForbidden
}

func (o *opened) directory() bool { return o.stat.Mode&syscall.S_IFMT == syscall.S_IFDIR }

// take returns the file, which is the caller's from then on.
func (o *opened) take() *os.File {
	if o.file == nil {
		o.file = os.NewFile(uintptr(o.fd), o.name)
	}
	return o.file
}

// close closes what was only read.
func (o *opened) close() {
	switch {
	case o.body != nil:
	case o.file != nil:
		o.file.Close()
	default:
		syscall.Close(o.fd)
	}
}

// missing tells that there is nothing of that name, from what is there and cannot be read.
func missing(err error) bool {
	if errors.Is(err, errSpecial) || errors.Is(err, fs.ErrNotExist) {
		return true
	}
	for _, number := range []syscall.Errno{syscall.ENOTDIR, syscall.ENAMETOOLONG, syscall.ELOOP, syscall.ENXIO, syscall.ENODEV} {
		if errors.Is(err, number) {
			return true
		}
	}
	return false
}
