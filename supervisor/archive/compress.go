package archive

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/config"
)

// quietTime is how long a file that no lease can be had on must be unchanged to count as left.
const quietTime = time.Minute

// take opens an old file and makes sure that nobody writes to it, and that no other process of this kind has it.
func (t *tidier) take(name string) (*os.File, error) {
	fd, err := unix.Openat(t.fd(), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	file := os.NewFile(uintptr(fd), name)
	if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) != nil || !t.left(fd) {
		file.Close()
		return nil, fmt.Errorf("%s: %w", name, ErrBusy)
	}
	return file, nil
}

// left reports whether nobody has a file open for writing. The lease is not kept: whoever opens the file would have to wait for it.
func (t *tidier) left(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK)
	if err == nil {
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
		return true
	}
	if errors.Is(err, unix.EAGAIN) {
		return false
	}
	var st unix.Stat_t // a file of another user, or a file system without leases
	return unix.Fstat(fd, &st) == nil && t.now.Sub(time.Unix(st.Mtim.Unix())) > quietTime
}

// dropTemporary removes what a process that was killed has begun, unless one is at it now.
func (t *tidier) dropTemporary(name, of string) {
	source, err := t.take(of)
	if err == nil {
		defer source.Close()
	}
	if err == nil || errors.Is(err, os.ErrNotExist) {
		_ = unix.Unlinkat(t.fd(), name, 0) // the next run tries again
	}
}

// compress puts an archive in the place of a file.
func (t *tidier) compress(name, extension string) error {
	source, err := t.take(name)
	if err != nil {
		return err
	}
	defer source.Close()
	var before unix.Stat_t
	if err := unix.Fstat(int(source.Fd()), &before); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	used := time.Unix(max(before.Mtim.Sec, before.Atim.Sec), 0)
	if t.After > 0 && t.now.Sub(used) <= t.After {
		return nil
	}
	archived, free, err := t.archives(source, extension)
	if err == nil && !archived {
		err = t.archive(source, &before, free, extension)
	}
	if err != nil {
		return err
	}
	if err := unix.Unlinkat(t.fd(), name, 0); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	t.log.Info("log file compressed", zap.String("path", filepath.Join(t.family.folder, name)), zap.Int64("bytes", before.Size))
	return nil
}

// archives looks whether there is an archive of source already, which a process that was killed has made, and else finds a free name.
func (t *tidier) archives(source *os.File, extension string) (archived bool, free string, err error) {
	for n := 1; n <= maxTaken; n++ {
		free = archiveName(source.Name(), extension, n)
		fd, err := unix.Openat(t.fd(), free, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if errors.Is(err, unix.ENOENT) {
			return false, free, nil
		}
		if err != nil {
			return false, "", fmt.Errorf("open %s: %w", free, err)
		}
		file := os.NewFile(uintptr(fd), free)
		same := holds(file, source, extension)
		file.Close()
		if same {
			return true, free, nil
		}
	}
	return false, "", fmt.Errorf("%s: too many archives", source.Name())
}

// archive writes source into an archive of the name free.
func (t *tidier) archive(source *os.File, before *unix.Stat_t, free, extension string) error {
	temporary := temporaryName(source.Name(), extension)
	_ = unix.Unlinkat(t.fd(), temporary, 0) // of a process that was killed: we hold the lock
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(t.fd(), temporary, flags, before.Mode&0o777)
	if err != nil {
		return fmt.Errorf("create %s: %w", temporary, err)
	}
	target := os.NewFile(uintptr(fd), temporary)
	err = t.fill(target, source, before)
	if closing := target.Close(); err == nil {
		err = closing
	}
	if err == nil && t.changed(source, before) {
		err = fmt.Errorf("%s: %w", source.Name(), ErrBusy)
	}
	if err == nil {
		err = rename(t.fd(), temporary, free)
	}
	if err != nil {
		_ = unix.Unlinkat(t.fd(), temporary, 0)
		return fmt.Errorf("compress %s: %w", source.Name(), err)
	}
	return t.folder.Sync()
}

// fill writes and syncs the archive, which belongs to whom and is as old as the file.
func (t *tidier) fill(target, source *os.File, before *unix.Stat_t) error {
	if _, err := source.Seek(0, io.SeekStart); err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(target, 256<<10)
	w, err := t.compressor(buffered)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, source)
	if closing := w.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return err
	}
	fd := int(target.Fd())
	_ = unix.Fchown(fd, int(before.Uid), int(before.Gid)) // only root may
	times := []unix.Timeval{unix.NsecToTimeval(before.Atim.Nano()), unix.NsecToTimeval(before.Mtim.Nano())}
	if err := unix.Futimes(fd, times); err != nil {
		return err
	}
	return target.Sync()
}

func (t *tidier) compressor(to io.Writer) (io.WriteCloser, error) {
	level := config.LogLevelOf(t.Compression, t.Level)
	if t.Compression == config.Gzip {
		return gzip.NewWriterLevel(to, level)
	}
	return zstd.NewWriter(to, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithEncoderConcurrency(1))
}

// changed reports whether a file is not what it was, or is being written to again.
func (t *tidier) changed(source *os.File, before *unix.Stat_t) bool {
	var after unix.Stat_t
	err := unix.Fstat(int(source.Fd()), &after)
	return err != nil || after.Size != before.Size || after.Mtim != before.Mtim || !t.left(int(source.Fd()))
}

// rename gives a file a name that nobody has, also where the file system cannot promise that.
func rename(folder int, from, to string) error {
	err := unix.Renameat2(folder, from, folder, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return unix.Renameat(folder, from, folder, to)
	}
	return err
}

// holds reports whether an archive has exactly what a file has.
func holds(archive, file *os.File, extension string) bool {
	var r io.Reader
	switch extension {
	case gzipExtension:
		z, err := gzip.NewReader(bufio.NewReader(archive))
		if err != nil {
			return false
		}
		r = z
	default:
		z, err := zstd.NewReader(archive, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return false
		}
		defer z.Close()
		r = z
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return false
	}
	return equal(r, file)
}

func equal(a, b io.Reader) bool {
	const piece = 64 << 10
	x, y := make([]byte, piece), make([]byte, piece)
	for {
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		if n != m || !bytes.Equal(x[:n], y[:m]) {
			return false
		}
		if errA != nil || errB != nil {
			return ended(a) && ended(b)
		}
	}
}

// ended tells the end from a text that was cut, where ReadFull does not.
func ended(r io.Reader) bool {
	n, err := r.Read(make([]byte, 1))
	return n == 0 && err == io.EOF
}
