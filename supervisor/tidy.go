package supervisor

import (
	"encoding/json"
	"os"
	"syscall"

	"go.uber.org/zap"

	"pingap/ipc"
	"pingap/supervisor/archive"
)

// RoleTidy is the child that compresses and removes old log files. It is no part of the instance: it speaks to nobody, and is killed
// when this process ends.
const RoleTidy = "tidy"

// tidied is its end.
type tidied struct {
	code int
	how  string
}

// tidyLogs starts the child if there is anything to look after.
func (s *supervisor) tidyLogs() {
	if s.stop != nil || s.bequeath {
		return
	}
	var files []archive.Open
	for _, f := range s.logs {
		files = append(files, archive.Open{Target: f.target, Path: f.path})
	}
	job := s.tidy.Begin(s.o.Now(), files)
	if len(job.Logs) == 0 {
		return
	}
	if s.live != nil {
		job.Level, job.JSON = s.live.settings.LogLevel, s.live.settings.LogJSON
	}
	process, err := s.startTidy(job)
	if err != nil {
		s.log.Error("old log files are not looked after", zap.Error(err))
		return
	}
	s.tidy.Began()
	s.waits.Go(func() { // ends with the process, which is killed when the spawner's thread ends
		state, err := process.Wait()
		if err != nil {
			s.post(tidied{-1, err.Error()})
			return
		}
		s.post(tidied{state.ExitCode(), state.String()})
	})
}

func (s *supervisor) startTidy(job archive.Job) (*os.Process, error) {
	data, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	fd, err := ipc.SealedMemfd(RoleTidy, data)
	if err != nil {
		return nil, err
	}
	stdin, stderr := os.NewFile(uintptr(fd), RoleTidy), os.Stderr
	defer stdin.Close()
	if f := s.logs[ipc.IDAppLog]; f != nil && f.target.Format == "" {
		if own, err := dup(f); err == nil {
			defer own.Close()
			stderr = own
		}
	}
	return s.spawner.process(s.o.Executable, []string{"pingap: " + RoleTidy, RoleTidy}, &os.ProcAttr{
		Env: append([]string{}, s.o.WorkerEnv...), Files: []*os.File{stdin, os.Stdout, stderr},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
}

// tidyEnded notes the end of the child, which has logged what it could not do.
func (s *supervisor) tidyEnded(e tidied) {
	if s.tidy.Ended(e.code) {
		s.log.Warn("old log files: the process that looks after them has failed", zap.String("end", e.how))
	}
}
