package supervisor

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"go.uber.org/zap"

	"pingap/ipc"
)

// credential returns whom workers of a version run as, and control if it can: nil (as the supervisor) unless that is root
// and may not stay so. It is looked up once.
func (v *version) credential() (*ipc.Credential, error) {
	if v.runAs != nil || os.Geteuid() != 0 || v.settings.AllowRoot {
		return v.runAs, nil
	}
	var err error
	v.runAs, err = userOf(v.settings)
	return v.runAs, err
}

func userOf(set ipc.Settings) (*ipc.Credential, error) {
	u, err := workerUser(set.User)
	if err != nil {
		return nil, err
	}
	gid := u.Gid
	if set.Group != "" {
		g, err := user.LookupGroup(set.Group)
		if err != nil {
			return nil, fmt.Errorf("group of control and workers: %w", err)
		}
		gid = g.Gid
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: uid %q", u.Username, u.Uid)
	}
	group, err := strconv.ParseUint(gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: gid %q", u.Username, gid)
	}
	if uid == 0 {
		return nil, errors.New("workers would run as root: set basic.user, or allow_root = true")
	}
	return &ipc.Credential{UID: uint32(uid), GID: uint32(group)}, nil
}

// attribute is what it takes to start a process with a credential; nil for none.
func attribute(c *ipc.Credential) *syscall.Credential {
	if c == nil {
		return nil
	}
	return &syscall.Credential{Uid: c.UID, Gid: c.GID}
}

// runAs is what control is told of the live version. Workers run by now: there is no error left.
func (s *supervisor) runAs() *ipc.Credential {
	c, _ := s.live.credential()
	return c
}

// controlDropped notes whom control now runs as. Its successors start with it: what could be read without being root will be
// able to be read again.
func (s *supervisor) controlDropped(c *child, dropped bool) {
	if !dropped || s.control.runAs != nil || s.live == nil {
		return
	}
	if s.control.runAs = s.runAs(); s.control.runAs != nil {
		s.log.Info("runs without root from now on", c.fields(), zap.Uint32("uid", s.control.runAs.UID), zap.Uint32("gid", s.control.runAs.GID))
	}
}

func workerUser(name string) (*user.User, error) {
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			return nil, fmt.Errorf("user of control and workers: %w", err)
		}
		return u, nil
	}
	for _, name := range []string{"pingap", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			return u, nil
		}
	}
	return nil, errors.New("started as root and neither user pingap nor nobody exists: set basic.user, or allow_root = true")
}
