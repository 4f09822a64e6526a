package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/telemetry"
	"pingap/worker"
)

// workerRole runs a worker. The supervisor names it by its argument zero: "pingap: worker 0 gen 1".
func workerRole(_ []string, s surroundings) int {
	var slot, generation int
	if _, err := fmt.Sscanf(s.name, "pingap: worker %d gen %d", &slot, &generation); err != nil {
		return s.fail(fmt.Errorf("a worker is started by pingap itself: %w", err))
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, unix.SIGTERM, unix.SIGQUIT)
	signal.Ignore(unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE)
	conn, err := ipc.FromFD(parentFD)
	if err != nil {
		return s.fail(err)
	}
	defer startProfile()()
	err = worker.Run(context.Background(), worker.Options{
		Conn: conn, Plugins: pluginList(), Slot: slot, Generation: generation, Build: buildID(), Version: version,
		Log: s.workerLog(), RustLog: s.getenv("RUST_LOG"), Signals: signals, OwnProcess: true,
	})
	if err != nil {
		return s.fail(err)
	}
	return exitDone
}

// workerLog is where a worker logs if the supervisor hands no file over: what --log says, which the supervisor passes on.
func (s surroundings) workerLog() telemetry.Options {
	target, _ := telemetry.ParseTarget(s.getenv("PINGAP_LOG")) // the supervisor has told the warnings
	return logOptions(target, ipc.RoleWorker)
}
