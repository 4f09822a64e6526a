package supervisor

import (
	"errors"
	"os"
	"syscall"

	"go.uber.org/zap"

	"pingap/ipc"
)

var errWouldBeRoot = errors.New("workers would run as root: set basic.user, or allow_root = true")

// credential returns whom workers of a version run as, and control if it can: nil (as the supervisor) unless that is root
// and may not stay so. The user is looked up once.
func (s *supervisor) credential(v *version) (*ipc.Credential, error) {
	if v.runAs != nil || os.Geteuid() != 0 || v.settings.AllowRoot {
		return v.runAs, nil
	}
	c, err := s.o.LookUpUser(v.settings.User, v.settings.Group)
	switch {
	case err != nil:
		return nil, err
	case c.UID == 0:
		return nil, errWouldBeRoot
	}
	v.runAs = &c
	return v.runAs, nil
}

// attribute is what it takes to start a process with a credential; nil for none.
func attribute(c *ipc.Credential) *syscall.Credential {
	if c == nil {
		return nil
	}
	return &syscall.Credential{Uid: c.UID, Gid: c.GID}
}

// controlDropped notes that control now runs as workers do. Its successors start so: what could be read without being root
// will be able to be read again.
func (s *supervisor) controlDropped(c *child, dropped bool) {
	if !dropped || s.control.runAs != nil || s.live == nil || s.live.runAs == nil {
		return
	}
	s.control.runAs = s.live.runAs
	s.log.Info("not root any more", c.fields(), zap.Uint32("uid", s.control.runAs.UID), zap.Uint32("gid", s.control.runAs.GID))
}
