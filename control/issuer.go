package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/config"
	"pingap/control/acme"
	"pingap/control/fleet"
)

// acmeFolder is where certificates of CAs are kept, in the state directory.
const acmeFolder = "acme"

// failingTime is how long before its end a certificate that cannot be renewed is worth a note.
const failingTime = 7 * 24 * time.Hour

// pullTime bounds how long a start waits for what other nodes have; less than storedTime.
const pullTime = 3 * time.Second

// ACME says how certificates are got from CAs.
type ACME struct {
	Disabled bool                // none are requested; those that are stored are used
	Getenv   func(string) string // for credentials that the configuration names; nil has none
}

// issuer keeps certificates of CAs for the configuration that is live. It does not belong to the loop: it reads and writes the disk.
type issuer struct {
	opt  acme.Options // but for Root
	node *fleet.Node  // of those that get certificates together; nil where each does so for itself

	mu      sync.Mutex // guards what follows, and is held while the disk is read
	dir     string     // "" for none
	given   *os.File   // the folder, opened by the supervisor; nil where this process may do so itself
	folder  *os.Root   // nil until it is needed
	manager *acme.Manager
	wanted  []acme.Wanted
	number  uint64 // of the wish that wanted is
	problem error  // why nothing can be requested
	cancel  context.CancelFunc
	done    chan struct{} // closed when the manager runs no more; nil while it does not run
	held    bool          // by stop, until resume
}

// want says what is wanted from now on, unless a later wish, which has a higher number, came first. It returns what is there of it
// already.
func (i *issuer) want(number uint64, wanted []acme.Wanted) ([]acme.Item, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if number < i.number {
		return nil, nil
	}
	i.number, i.wanted = number, wanted
	if i.manager == nil && len(wanted) == 0 {
		i.problem = nil
		return nil, nil
	}
	if i.problem = i.openLocked(); i.problem != nil {
		return nil, i.problem
	}
	i.manager.Update(wanted)
	return i.manager.Items(), nil
}

// openLocked makes a manager, if there is none.
func (i *issuer) openLocked() error {
	if i.manager != nil {
		return nil
	}
	if err := i.openFolderLocked(); err != nil {
		return err
	}
	root, err := i.folder.OpenRoot(".")
	if err != nil {
		return fmt.Errorf("state directory of ACME: %w", err)
	}
	opt := i.opt
	opt.Root = root
	if i.manager, err = acme.New(opt); err != nil {
		return err // the folder has been closed
	}
	ctx, cancel := context.WithTimeout(context.Background(), pullTime)
	defer cancel()
	if err := i.manager.Join(ctx); err != nil {
		opt.Log.Warn("what all nodes have of certificates cannot be read, this node has its own copies", zap.Error(err))
	}
	i.manager.Update(i.wanted)
	return nil
}

// openFolderLocked opens the folder and makes it private.
func (i *issuer) openFolderLocked() (err error) {
	switch {
	case i.folder != nil:
		return nil
	case i.given != nil:
		i.folder, err = os.OpenRoot("/proc/self/fd/" + strconv.Itoa(int(i.given.Fd())))
	case i.dir == "":
		return errors.New("no certificate can be requested: there is no state directory to keep it in")
	default:
		path := filepath.Join(i.dir, acmeFolder)
		if err = os.MkdirAll(path, 0o700); err == nil {
			i.folder, err = os.OpenRoot(path)
		}
	}
	if err == nil {
		err = i.folder.Chmod(".", 0o700)
	}
	if err != nil {
		if i.folder != nil {
			i.folder.Close()
			i.folder = nil
		}
		return fmt.Errorf("state directory of ACME: %w", err)
	}
	return nil
}

// start has the manager work until stop, or the end of ctx. It does nothing where nothing is wanted, or it works already.
func (i *issuer) start(ctx context.Context, wg *sync.WaitGroup) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.held || i.done != nil || len(i.wanted) == 0 {
		return nil
	}
	if i.problem = i.openLocked(); i.problem != nil {
		return i.problem
	}
	ctx, i.cancel = context.WithCancel(ctx)
	m, done := i.manager, make(chan struct{})
	i.done = done
	wg.Go(func() { // ends with ctx
		defer close(done)
		if err := m.Run(ctx); err != nil {
			i.opt.Log.Error("certificates are not renewed any more", zap.Error(err))
		}
	})
	return nil
}

// resume lets start work after a stop.
func (i *issuer) resume() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.held = false
}

// stop ends the manager, so that nothing writes to the folder until resume. It waits for what is under way to notice.
func (i *issuer) stop() {
	i.mu.Lock()
	i.held = true
	cancel, done := i.cancel, i.done
	i.mu.Unlock()
	if done != nil {
		cancel()
		<-done
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.manager != nil {
		_ = i.manager.Close() // nothing is open but a folder
	}
	i.manager, i.cancel, i.done = nil, nil, nil
}

// close is for the end of the process.
func (i *issuer) close() {
	i.stop()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.folder != nil {
		_ = i.folder.Close() // likewise
	}
	if i.given != nil {
		_ = i.given.Close() // likewise
	}
}

// list says how each certificate is, and why none can be requested, if that is so.
func (i *issuer) list() ([]acme.Status, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.manager == nil && !i.held && len(i.wanted) > 0 { // it was stopped, and where requests are switched off nobody starts it again
		i.problem = i.openLocked()
	}
	if i.manager == nil {
		return nil, i.problem
	}
	return i.manager.List(), i.problem
}

// maxNotes bounds the certificates that status names.
const maxNotes = 10

// notes are for status: certificates that are not there, or at their end, because requests fail.
func (i *issuer) notes(now time.Time) []string {
	states, problem := i.list()
	var notes []string
	if problem != nil {
		notes = append(notes, "certificates cannot be requested: "+problem.Error())
	}
	if i.node != nil && i.node.State().Err != nil {
		notes = append(notes, "no part is taken in getting certificates: "+i.node.State().Err.Error())
	}
	for _, s := range states {
		if s.LastError == "" || s.NotAfter.After(now.Add(failingTime)) {
			continue
		}
		if len(notes) == maxNotes {
			return append(notes, "and more certificates; see pingap cert list")
		}
		what := "could not be issued yet"
		if !s.NotAfter.IsZero() {
			what = "ends at " + s.NotAfter.Format(time.RFC3339) + " and could not be renewed"
		}
		notes = append(notes, fmt.Sprintf("certificate %s %s: %s", s.Name, what, shorten(s.LastError)))
	}
	return notes
}

// give makes the folder and its files another user's, who this process is going to be. Nothing may run meanwhile.
func (i *issuer) give(uid, gid int) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.dir == "" {
		return nil
	}
	if err := i.openFolderLocked(); err != nil {
		return err
	}
	if err := giveAll(i.folder, uid, gid); err != nil {
		return fmt.Errorf("state directory of ACME: give to uid %d: %w", uid, err)
	}
	return nil
}

// giveAll gives the files of a folder, then the folders in it, then itself. What has a second name elsewhere is not ours, and
// links are not followed.
func giveAll(folder *os.Root, uid, gid int) error {
	f, err := folder.Open(".")
	if err != nil {
		return err
	}
	entries, err := f.ReadDir(-1)
	f.Close()
	for _, e := range entries {
		if err != nil {
			break
		}
		switch {
		case e.IsDir():
			var inner *os.Root
			if inner, err = folder.OpenRoot(e.Name()); err == nil {
				err = giveAll(inner, uid, gid)
				inner.Close()
			}
		case e.Type().IsRegular():
			err = giveFile(folder, e.Name(), uid, gid)
		}
	}
	return errors.Join(err, folder.Lchown(".", uid, gid))
}

func giveFile(folder *os.Root, name string, uid, gid int) error {
	f, err := folder.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1 {
		return err
	}
	return unix.Fchown(int(f.Fd()), uid, gid)
}

// wantedOf lists the certificates of a snapshot that are to come from a CA.
func wantedOf(s *config.Snapshot) ([]acme.Wanted, error) {
	var all []acme.Wanted
	for _, o := range s.Objects() {
		if o.Kind != config.KindCertificate {
			continue
		}
		c, err := s.Certificate(o.Name)
		if err != nil {
			return nil, err
		}
		if c.ACME == "" || len(c.DomainList()) == 0 {
			continue
		}
		all = append(all, acme.Wanted{Name: c.Name, Domains: c.DomainList(), Directory: c.ACME, CA: c.Files.Text("acme_ca_file", c.ACMECAFile),
			Email: c.ACMEEmail, EABKid: c.ACMEEABKid, EABKey: c.ACMEEABHMAC, Challenge: c.ChallengeType(),
			DNSProvider: c.DNSProvider, DNSServiceURL: c.DNSServiceURL, BufferDays: c.BufferDays})
	}
	return all, nil
}

// ACMEFolder opens the folder of a state directory that certificates of CAs are kept in, for a process that may not; nil where there is
// none.
func ACMEFolder(state string) *os.File { return openFolder(state, acmeFolder) }

func openFolder(state, name string) *os.File {
	fd, err := unix.Open(filepath.Join(state, name), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if state == "" || err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), name)
}
