package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"pingap/control"
	"pingap/control/history"
	"pingap/control/source"
	"pingap/ipc"
	"pingap/supervisor"
	"pingap/supervisor/systemd"
	share "pingap/worker/process"
)

// serve runs the supervisor until it is told to stop. ready is called once all
// workers accept; nil where nobody waits for it.
func serve(o *options, s surroundings, ready func()) int {
	if err := checkKernel(); err != nil {
		return s.fail(err)
	}
	job, err := s.job(o)
	if err != nil {
		return s.fail(err)
	}
	if job.Location.Etcd.Password != "" && s.getenv(confVariable) == "" {
		fmt.Fprintf(s.stderr, "pingap: warning: everybody on this machine can see the password behind -c: %s hides it\n", confVariable)
	}
	if o.admin != "" && s.getenv(adminVariable) == "" && s.getenv(adminPasswordVariable) == "" {
		fmt.Fprintf(s.stderr, "pingap: warning: everybody on this machine can see the password in --admin: %s hides it\n", adminVariable)
	}
	d := s.dirs(o.runDir)
	run, err := d.create()
	if err != nil {
		return s.fail(err)
	}
	state, err := d.stateDir(o.stateDir, run)
	if err != nil {
		return s.fail(err)
	}
	target, err := s.logTarget(o, source.Base{Home: job.Home, Dir: job.Dir})
	if err != nil {
		return s.fail(err)
	}
	log, err := s.openLog(o, ipc.RoleSupervisor)
	if err != nil {
		return s.fail(err)
	}
	defer log.close()
	if o.sample {
		stop, err := startSampleUpstream(s)
		if err != nil {
			return s.fail(err)
		}
		defer stop()
	}
	// Registered before anything is started: a TERM must never find none.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGTERM, unix.SIGQUIT, unix.SIGINT, unix.SIGWINCH,
		supervisor.HandOff)
	// Ignored, not caught: a signal that is logged to a pipe without a reader would be the next signal.
	signal.Ignore(unix.SIGPIPE)
	if os.Getpid() == 1 {
		defer reapOrphans()()
	}
	opt := supervisor.Options{
		RunDir: run, StateDir: state, ControlArgs: o.controlArgs(job), ControlEnv: controlEnv(job), OpenVersions: func() []*os.File { return history.Files(state) },
		OpenACME:  func() *os.File { return control.ACMEFolder(state) },
		OpenAdmin: func() *os.File { return control.AdminFolder(state) },
		WorkerEnv: workerEnv(s.getenv, o.log), Env: os.LookupEnv, LookUpUser: lookUpUser,
		AppLog: target, OnAppLog: log.follow(target), OnLogSettings: log.obey, LogDropped: log.log.Lost,
		Signals: signals, OnReady: ready, Log: log.logger(), Build: buildID(),
		Memory: share.Memory(),
	}
	if err := s.succession(o, &opt); err != nil {
		return s.fail(err)
	}
	if err := s.manager(&opt); err != nil {
		return s.fail(err)
	}
	defer opt.Manager.Close()
	if err := supervisor.Run(context.Background(), opt); err != nil {
		return s.fail(err)
	}
	return exitDone
}

// succession fills in how this supervisor is replaced, and which one it replaces.
func (s surroundings) succession(o *options, opt *supervisor.Options) error {
	if !s.whole {
		return nil
	}
	u, err := newSuccession(serveArgs())
	if err != nil {
		return err
	}
	if opt.Predecessor, err = u.predecessor(); err != nil {
		return err
	}
	switch {
	case os.Getpid() == 1:
		opt.NoUpgrade = ": as process 1 its end would be that of the container"
	case o.sample:
		opt.NoUpgrade = ": the upstream of --sample belongs to this process"
	default:
		opt.Upgrader = u
	}
	return nil
}

// manager fills in what the service manager gives and wants.
func (s surroundings) manager(opt *supervisor.Options) (err error) {
	if opt.Manager, err = systemd.Open(s.getenv); err != nil {
		return err
	}
	// Since 248 this variable is set. Whoever lacks it may lack RestartKillSignal too, and a restart may come as a stop.
	opt.KeepStored = opt.Manager != nil && s.getenv("SYSTEMD_EXEC_PID") == ""
	opt.Watchdog = systemd.Watchdog(s.getenv, opt.Predecessor != nil)
	if opt.Predecessor == nil {
		opt.Stored, err = systemd.ListenFDs(s.getenv)
	}
	return err
}

// workerEnv is the whole environment of workers: what the Go runtime reads, the
// time zone of log lines, and where their application log goes. Variables that
// a configuration names reach them by messages.
func workerEnv(getenv func(string) string, log string) []string {
	env := []string{}
	for _, name := range []string{"GODEBUG", "GOGC", "GOMEMLIMIT", "GORACE", "GOTRACEBACK", "RUST_LOG", "TZ"} {
		if value := getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	if log != "" {
		env = append(env, "PINGAP_LOG="+log)
	}
	return env
}
