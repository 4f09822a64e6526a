package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/control"
	"pingap/control/discovery"
	"pingap/control/source"
	"pingap/ipc"
	share "pingap/worker/process"
)

// parentFD is the socket to the supervisor in control and workers.
const parentFD = 3

// controlRole runs the control process. Its arguments are those that the
// supervisor was started with.
func controlRole(args []string, s surroundings) int {
	control.GiveWay()
	share.Title()
	signal.Ignore(unix.SIGPIPE) // of a standard error that nobody reads any more
	o, _, err := serveOptions(args, s.getenv)
	if err != nil {
		return s.fail(err)
	}
	job, err := s.job(o)
	if err != nil {
		return s.fail(err)
	}
	// It may hold a password, and is not for children: they get what has been read.
	if err := forget(append(adminVariables(), confVariable)...); err != nil {
		return s.fail(err)
	}
	log, err := s.openLog(o, ipc.RoleControl)
	if err != nil {
		return s.fail(err)
	}
	defer log.close()
	conn, err := ipc.FromFD(parentFD)
	if err != nil {
		return s.fail(err)
	}
	docker, err := discovery.Socket(s.getenv("DOCKER_HOST"))
	if err != nil {
		log.logger().Warn("containers are looked for at the usual socket", zap.Error(err))
	}
	opt := control.Options{
		Conn: conn, Job: job, Watch: o.watch(), Build: buildID(),
		Log: log.logger(), LogFile: log.take, LogSettings: log.settings, LogDropped: log.log.Lost,
		ACME:   control.ACME{Disabled: s.getenv(noACME) != "", Getenv: s.getenv},
		Docker: docker, Version: version, Plugins: pluginSchema(pluginList()), PanelOnly: o.cp,
	}
	if s.uid == 0 {
		opt.Become = become
	}
	if err := control.Run(context.Background(), opt); err != nil {
		return s.fail(err)
	}
	return exitDone
}

func (o *options) watch() control.Watch {
	switch {
	case o.autorestart:
		return control.WatchAll
	case o.autoreload:
		return control.WatchHot
	}
	return control.WatchNone
}

// controlEnv is the environment of control: what may hold a password is no argument, as everybody sees those.
func controlEnv(job control.Job) []string {
	env := adminEnv(os.Environ(), job.Admin)
	if !job.Location.Remote() {
		return env
	}
	env = slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, confVariable+"=") })
	return append(env, confVariable+"="+job.Location.Conf())
}

// controlArgs are the arguments of control for these options.
func (o *options) controlArgs(job control.Job) []string {
	var args []string
	add := func(name, value string) {
		if value != "" {
			args = append(args, "--"+name+"="+value)
		}
	}
	turn := func(name string, on bool) {
		if on {
			args = append(args, "--"+name)
		}
	}
	if o.conf != "" && !job.Location.Remote() {
		add("conf", job.Location.String())
	}
	add("upstream", o.upstream)
	add("addr", o.addr)
	add("domain", o.domain)
	base := source.Base{Home: job.Home, Dir: job.Dir}
	for _, f := range [][2]string{{"cert", o.cert}, {"key", o.key}} {
		if path, err := source.Absolute(f[1], base); err == nil { // an empty one is an error, and left out
			add(f[0], path)
		}
	}
	add("log", o.log)
	turn("sample", o.sample)
	turn("cp", o.cp)
	turn("strict", o.strict)
	turn("autoreload", o.autoreload)
	turn("autorestart", o.autorestart)
	if o.threads >= 0 {
		add("threads", strconv.Itoa(o.threads))
	}
	if o.workers >= 0 {
		add("workers", strconv.Itoa(o.workers))
	}
	return args
}
