package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"pingap/supervisor"
	"pingap/supervisor/archive"
	"pingap/telemetry"
)

// tidyRole compresses and removes old log files for the supervisor, which gives the job as standard input and the application log as
// standard error.
func tidyRole(_ []string, s surroundings) int {
	runtime.GOMAXPROCS(1)
	// Traffic comes first. All threads of this process are its group.
	_ = unix.Setpriority(unix.PRIO_PGRP, 0, tidyNice)
	signal.Ignore(unix.SIGPIPE, unix.SIGINT, unix.SIGIO)
	var job archive.Job
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		return s.fail(fmt.Errorf("old log files: job: %w", err))
	}
	log, err := telemetry.New(telemetry.Options{Process: supervisor.RoleTidy, Version: version, JSON: job.JSON,
		Level: telemetry.PickLevel(job.Level, s.getenv("RUST_LOG"))})
	if err != nil {
		return s.fail(err)
	}
	defer log.Close()
	err = archive.Tidy(job, time.Now(), log.Logger.Named(supervisor.RoleTidy))
	switch {
	case errors.Is(err, archive.ErrBusy):
		return archive.ExitBusy
	case err != nil:
		return exitFailed
	}
	return exitDone
}

// tidyNice is below control and its children, which have 5 and 10.
const tidyNice = 15
