package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"

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
	target, err := o.logTarget(source.Base{Home: job.Home, Dir: job.Dir})
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
	signal.Notify(signals, unix.SIGHUP, unix.SIGUSR1, unix.SIGTERM, unix.SIGQUIT, unix.SIGINT, unix.SIGPIPE)
	err = supervisor.Run(context.Background(), supervisor.Options{
		RunDir: run, StateDir: state, ControlArgs: o.controlArgs(job), WorkerEnv: workerEnv(os.Environ(), o.log),
		AppLog: target, OnAppLog: log.follow(), Signals: signals, OnReady: ready, Log: log.logger(), Build: buildID(),
	})
	if err != nil {
		return s.fail(err)
	}
	return exitDone
}

// workerEnv is the environment of workers: the configuration may refer to any
// variable by name, but those that concern the supervisor and the credentials
// of the panel are nobody else's business.
func workerEnv(environ []string, log string) []string {
	var env []string
	for _, v := range environ {
		if !private(v) {
			env = append(env, v)
		}
	}
	return append(env, fmt.Sprintf("PINGAP_LOG=%s", log))
}

func private(variable string) bool {
	for _, prefix := range []string{"NOTIFY_SOCKET=", "LISTEN_", "WATCHDOG_", "TABLEFLIP_", "FDSTORE=", "PINGAP_ADMIN", "PINGAP_LOG="} {
		if strings.HasPrefix(variable, prefix) {
			return true
		}
	}
	return false
}
