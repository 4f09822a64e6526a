package main

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"

	"pingap/ipc"
)

// lookUpUser finds whom control and workers run as: the named user, else pingap
// or nobody, with the named group or else the user's own.
func lookUpUser(name, group string) (c ipc.Credential, err error) {
	u, err := namedUser(name)
	if err != nil {
		return c, err
	}
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			return c, fmt.Errorf("basic.group: %w", err)
		}
		u.Gid = g.Gid
	}
	if c.UID, err = number(u.Uid); err == nil {
		c.GID, err = number(u.Gid)
	}
	if err != nil {
		return c, fmt.Errorf("user %s: %w", u.Username, err)
	}
	return c, nil
}

func number(id string) (uint32, error) {
	n, err := strconv.ParseUint(id, 10, 32)
	return uint32(n), err
}

func namedUser(name string) (*user.User, error) {
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			return nil, fmt.Errorf("basic.user: %w", err)
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
