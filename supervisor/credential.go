package supervisor

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"pingap/ipc"
)

// workerCredential returns whom workers run as: nil (as the supervisor) unless it is root and may not stay so.
func workerCredential(set ipc.Settings) (*syscall.Credential, error) {
	if os.Geteuid() != 0 || set.AllowRoot {
		return nil, nil
	}
	u, err := workerUser(set.User)
	if err != nil {
		return nil, err
	}
	gid := u.Gid
	if set.Group != "" {
		g, err := user.LookupGroup(set.Group)
		if err != nil {
			return nil, fmt.Errorf("group of workers: %w", err)
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
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(group)}, nil
}

func workerUser(name string) (*user.User, error) {
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			return nil, fmt.Errorf("user of workers: %w", err)
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
