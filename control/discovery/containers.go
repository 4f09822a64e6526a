package discovery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pingap/config"
	"pingap/control/discovery/internal/docker"
)

// defaultPoll is how often the engine is asked, besides its events.
const defaultPoll = time.Minute

// containers follows the containers of one upstream.
type containers struct {
	pool     *pool
	engine   *docker.Engine
	upstream *config.Upstream
}

func (c *containers) run(ctx context.Context) {
	poll := defaultPoll
	if c.upstream.UpdateFrequency > 0 {
		poll = min(max(c.upstream.UpdateFrequency.Std(), minRefresh), maxRefresh)
	}
	labels := c.upstream.DockerLabels()
	sub := c.engine.Subscribe(poll)
	defer sub.Close()
	for {
		select {
		case <-sub.Changed():
		case <-ctx.Done():
			return
		}
		list, err := c.engine.Containers()
		for i, label := range labels {
			switch {
			case label.Key == "": // Load refuses these
				c.pool.fail(i, fmt.Sprintf("%q is no label", c.upstream.Addrs[i]))
			case err != nil:
				c.pool.fail(i, err.Error())
			default:
				c.find(i, label, list)
			}
		}
	}
}

// find takes the containers with a label.
func (c *containers) find(i int, label config.DockerLabel, list []docker.Container) {
	var out []Endpoint
	matched := 0
	for _, one := range list {
		value, has := one.Labels[label.Key]
		if !has || label.Valued && value != label.Value {
			continue
		}
		matched++
		for _, at := range one.Reached(label.Port, c.upstream.IPv4Only) {
			out = append(out, Endpoint{
				Address: config.Address{Network: "tcp", Host: at.Addr().String(), Port: int(at.Port())},
				Weight:  label.Weight, Backup: label.Backup, From: c.upstream.Addrs[i],
			})
		}
	}
	slices.SortFunc(out, compare)
	problem := ""
	switch {
	case matched == 0:
		problem = fmt.Sprintf("%s: no container that runs has this label", c.upstream.Addrs[i])
	case len(out) == 0:
		problem = fmt.Sprintf("%s: no container with this label has an address and a port", c.upstream.Addrs[i])
	}
	c.pool.setWith(i, out, problem)
}
