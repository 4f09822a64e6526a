package main

import (
	"os"
	"slices"
	"strings"

	"pingap/config/adminaddr"
)

// Variables of --admin. What holds a password is no argument of a child: everybody sees those.
const (
	adminVariable         = "PINGAP_ADMIN_ADDR"
	adminUserVariable     = "PINGAP_ADMIN_USER"
	adminPasswordVariable = "PINGAP_ADMIN_PASSWORD"
)

func adminVariables() []string {
	return []string{adminVariable, adminUserVariable, adminPasswordVariable}
}

// completeAdmin puts user and password of the environment in front of an address without, and refuses what cannot be read.
func (o *options) completeAdmin(getenv func(string) string) error {
	if o.admin == "" || o.upgrade {
		return nil
	}
	user, password := getenv(adminUserVariable), getenv(adminPasswordVariable)
	if !strings.Contains(o.admin, "@") && user != "" && password != "" {
		o.admin = adminaddr.Authorization(user, password) + o.admin
	}
	if _, err := adminaddr.Parse(o.admin); err != nil {
		return usagef("--admin: %v", err)
	}
	return nil
}

// adminEnv is an environment with the whole value of --admin in one variable; none where there is no --admin.
func adminEnv(env []string, admin string) []string {
	env = slices.DeleteFunc(env, func(v string) bool {
		return slices.ContainsFunc(adminVariables(), func(name string) bool { return strings.HasPrefix(v, name+"=") })
	})
	if admin == "" {
		return env
	}
	return append(env, adminVariable+"="+admin)
}

// forget takes variables out of the environment: they may hold passwords, and are not for children.
func forget(names ...string) error {
	for _, name := range names {
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	return nil
}
