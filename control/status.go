package control

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"

	"pingap/control/source"
	"pingap/ipc"
)

// status is the supervisor's status with what only control knows.
func (c *client) status(ctx context.Context) ipc.Body {
	answer := c.relay(ctx, ipc.StatusRequest{}, answerTime)
	all, ok := answer.(*ipc.StatusAll)
	if !ok {
		return answer
	}
	for i := range all.Processes {
		addMemory(&all.Processes[i])
	}
	if reason := c.differs(ctx); reason != "" {
		all.Degraded = append(all.Degraded, reason)
	}
	return all
}

// differs says how the source and what is live disagree; empty when they agree.
func (c *client) differs(ctx context.Context) string {
	known := make(chan string, 1)
	c.p.post(ctx, func(context.Context) { known <- c.p.live.digest })
	var digest string
	select {
	case digest = <-known:
	case <-ctx.Done():
		return ""
	}
	c.p.reading.Lock()
	defer c.p.reading.Unlock()
	docs, err := c.p.opt.Job.Location.Read()
	switch {
	case err != nil:
		return err.Error()
	case digest == "":
		return "what is live was not loaded from the configuration as it is now"
	case source.Digest(docs) != digest:
		return "the configuration was changed since it was loaded: reload applies it"
	}
	return ""
}

// addMemory fills in the resident memory of a process that does not report it
// itself. What cannot be read stays 0.
func addMemory(p *ipc.Process) {
	if p.Status != nil && p.Status.RSS > 0 {
		return
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.PID))
	if err != nil {
		return
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return
	}
	if p.Status == nil {
		p.Status = &ipc.Status{}
	}
	p.Status.RSS = pages * int64(os.Getpagesize())
}
