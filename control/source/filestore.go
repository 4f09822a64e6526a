package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lockWait bounds the wait for somebody else who writes.
const lockWait = 10 * time.Second

// fileStore is a Store of a file or a directory. Writers lock the directory; readers need no lock, since each file is replaced as a whole.
type fileStore struct {
	loc  Location
	kind Layout
}

func (s *fileStore) Layout() Layout { return s.kind }
func (s *fileStore) Close()         {}

// dir is the directory that keys are relative to.
func (s *fileStore) dir() string {
	if s.kind == Single {
		return filepath.Dir(s.loc.Path)
	}
	return s.loc.Path
}

func (s *fileStore) List(context.Context) ([]Item, error) {
	docs, err := s.loc.Read()
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrEmpty) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var items []Item
	for _, d := range docs {
		key, err := filepath.Rel(s.dir(), d.Path)
		if err != nil {
			return nil, fmt.Errorf("configuration %s: %w", d.Path, err)
		}
		items = append(items, Item{Key: key, Data: d.Data, Rev: revision(d.Data)})
	}
	return items, nil
}

// revision names a content: what is the same is no conflict.
func revision(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// path is where a key is, which must not lead elsewhere.
func (s *fileStore) path(key string) (string, error) {
	if !filepath.IsLocal(key) || filepath.Ext(key) != keySuffix && s.kind != Single || strings.HasPrefix(filepath.Base(key), ".") || strings.Contains(key, "\x00") {
		return "", fmt.Errorf("%w: %.*q", ErrName, maxName, key)
	}
	if s.kind == Single && key != filepath.Base(s.loc.Path) {
		return "", fmt.Errorf("%w: %.*q, there is only %s", ErrName, maxName, key, filepath.Base(s.loc.Path))
	}
	return filepath.Join(s.dir(), key), nil
}

func (s *fileStore) Get(_ context.Context, key string) (Item, bool, error) {
	path, err := s.path(key)
	if err != nil {
		return Item{}, false, err
	}
	r := reader{left: MaxBytes}
	if err := r.file(path); errors.Is(err, ErrNotFound) {
		return Item{}, false, nil
	} else if err != nil {
		return Item{}, false, err
	}
	data := r.docs[0].Data
	return Item{Key: key, Data: data, Rev: revision(data)}, true, nil
}

func (s *fileStore) Txn(ctx context.Context, ops ...Op) error {
	err := s.txn(ctx, ops)
	if !isDenial(err) {
		return err
	}
	if why := s.denied(ops); why != nil {
		return why
	}
	return fmt.Errorf("configuration %s %w by %s: %w", s.loc, ErrDenied, self(), err)
}

func (s *fileStore) txn(ctx context.Context, ops []Op) error {
	if err := os.MkdirAll(s.dir(), 0o755); err != nil {
		return explain(s.dir(), err)
	}
	unlock, err := lockDir(ctx, s.dir())
	if err != nil {
		return err
	}
	defer unlock()
	before := make([]Item, len(ops))
	for i, op := range ops {
		item, found, err := s.Get(ctx, op.Key)
		if err != nil {
			return err
		}
		if item.Rev != op.Rev {
			return fmt.Errorf("configuration %s: %s %w", s.loc, op.Key, ErrConflict)
		}
		if before[i] = item; !found {
			before[i].Data = nil
		}
	}
	for i, op := range ops {
		if err := s.keep(op.Key, before[i].Data, time.Now()); err != nil {
			return err
		}
		if err := s.put(op); err != nil {
			return err
		}
	}
	return nil
}

// lockDir keeps other writers out of a directory until unlock.
func lockDir(ctx context.Context, dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, explain(dir, err)
	}
	raw, err := f.SyscallConn()
	deadline := time.Now().Add(lockWait)
	for err == nil {
		var lerr error
		err = raw.Control(func(fd uintptr) { lerr = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB) })
		if err == nil && lerr == nil {
			return func() { f.Close() }, nil
		}
		if err == nil && !errors.Is(lerr, unix.EWOULDBLOCK) && !errors.Is(lerr, unix.EINTR) {
			err = lerr
		}
		if err == nil && (time.Now().After(deadline) || !sleep(ctx, 10*time.Millisecond)) {
			err = errors.New("somebody else is writing to it")
		}
	}
	f.Close()
	return nil, explain(dir, err)
}

func (s *fileStore) put(op Op) error {
	path, err := s.path(op.Key)
	if err != nil {
		return err
	}
	if op.Data == nil {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return explain(path, err)
		}
		return syncDir(filepath.Dir(path))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return explain(path, err)
	}
	return replace(path, op.Data)
}

// replace makes a file hold data: whole, or as it was. A link stays one; owner and mode stay as well, and of a new file are those
// that let the group of its directory read it, nobody else: there may be keys in it.
func replace(path string, data []byte) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	mode, uid, gid := fs.FileMode(0o640), -1, -1
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
		uid, gid = owner(info)
	} else if info, err := os.Stat(filepath.Dir(path)); err == nil {
		_, gid = owner(info)
	}
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return explain(path, err)
	}
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return explain(path, err)
	}
	_, err = f.Write(data)
	if err == nil {
		if cerr := f.Chown(uid, gid); cerr != nil && !errors.Is(cerr, os.ErrPermission) { // who may not give it away keeps it
			err = cerr
		}
	}
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		_ = os.Remove(temporary) // what is left of it is removed the next time
		return explain(path, err)
	}
	return syncDir(filepath.Dir(path))
}

func owner(info fs.FileInfo) (uid, gid int) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return -1, -1
}

// syncDir makes names last.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return explain(dir, err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return explain(dir, err)
	}
	return nil
}

// SetAside writes a copy of an item beside it, under its name with .bak behind, which is not read as configuration.
func SetAside(s Store, key string, data []byte) error {
	switch s := s.(type) {
	case *fileStore:
		path, err := s.path(key)
		if err != nil {
			return err
		}
		return replace(path+".bak", data)
	case *etcdStore:
		return s.client.Put(context.Background(), s.loc.Etcd.Prefix()+key+".bak", data)
	}
	return fmt.Errorf("%s: nothing can be set aside", key)
}
