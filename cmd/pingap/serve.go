package main

import (
	"context"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"pingap/control/source"
	"pingap/ipc"
	"pingap/supervisor"
)

// serve runs the supervisor until it is told to stop. ready is called once all
// workers accept; nil where nobody waits for it.
func serve(o *options, s surroundings, ready func()) int {
	job, err := s.job(o)
	if err != nil {
		return s.fail(err)
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
	signal.Notify(signals, unix.SIGHUP, unix.SIGUSR1, unix.SIGTERM, unix.SIGQUIT, unix.SIGINT)
	// Ignored, not caught: a signal that is logged to a pipe without a reader would be the next signal.
	signal.Ignore(unix.SIGPIPE)
	err = supervisor.Run(context.Background(), supervisor.Options{
		RunDir: run, StateDir: state, ControlArgs: o.controlArgs(job),
		WorkerEnv: workerEnv(s.getenv, o.log), Env: os.LookupEnv, LookUpUser: lookUpUser,
		AppLog: target, OnAppLog: log.follow(target), OnLogSettings: log.obey, LogDropped: log.log.Lost,
		Signals: signals, OnReady: ready, Log: log.logger(), Build: buildID(),
	})
	if err != nil {
		return s.fail(err)
	}
	return exitDone
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
