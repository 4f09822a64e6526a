package control

import (
	"fmt"
	"strings"

	"pingap/config"
	"pingap/control/events"
	"pingap/ipc"
)

// compare fills in what changes against the live configuration. Only objects
// whose hash differs are decoded: one change among 10,000 costs one.
func (v *Verdict) compare(live *config.Snapshot, cfg *config.Config, encoded []byte) error {
	var changes config.Changes
	if live == nil {
		changes = config.Diff(nil, cfg)
	} else {
		next, err := config.OpenSnapshot(encoded)
		if err == nil {
			changes, err = difference(live, next)
		}
		if err != nil {
			return fmt.Errorf("compare with the live configuration: %w", err)
		}
	}
	for _, c := range changes {
		v.Changes = append(v.Changes, ipc.Change{Object: c.Object(), Class: ipc.Class(c.Class)})
	}
	if live != nil {
		v.Reloaded, v.Diff = events.Reloaded(changes), diffText(changes)
	}
	v.Class = ipc.Class(changes.Class())
	v.Heavy = changes.Needs(config.Listeners)
	return nil
}

// maxDiff bounds the text of a difference, in bytes; one object may exceed it.
const maxDiff = 16 << 10

// diffText is the difference for people. Ten thousand changed locations are not for reading.
func diffText(changes config.Changes) string {
	var b strings.Builder
	for i := range changes {
		if b.Len() > maxDiff {
			b.WriteString("\n" + more(len(changes)-i) + "\n")
			break
		}
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(changes[i : i+1].Text())
	}
	return b.String()
}

// difference is what changed from one snapshot to another; nil before is an empty configuration.
func difference(before, after *config.Snapshot) (config.Changes, error) {
	if before == nil {
		cfg, err := after.Config()
		return config.Diff(nil, cfg), err
	}
	was, err := without(before, after)
	if err != nil {
		return nil, err
	}
	is, err := without(after, before)
	if err != nil {
		return nil, err
	}
	return config.Diff(was, is), nil
}

// without decodes the objects of s that other does not hold in the same form,
// and the basic table in any case.
func without(s, other *config.Snapshot) (*config.Config, error) {
	c := &config.Config{Servers: map[string]*config.Server{}, Locations: map[string]*config.Location{},
		Upstreams: map[string]*config.Upstream{}, Plugins: map[string]*config.Plugin{}, Certificates: map[string]*config.Certificate{}}
	for _, o := range s.Objects() {
		if same, ok := other.Find(o.Kind, o.Name); ok && same.Sha == o.Sha && o.Kind != config.KindBasic {
			continue
		}
		if err := decode(s, o, c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func decode(s *config.Snapshot, o config.Object, c *config.Config) (err error) {
	switch o.Kind {
	case config.KindBasic:
		var basic *config.Basic
		if basic, err = s.Basic(); err == nil {
			c.Basic = *basic
		}
	case config.KindServer:
		c.Servers[o.Name], err = s.Server(o.Name)
	case config.KindLocation:
		c.Locations[o.Name], err = s.Location(o.Name)
	case config.KindUpstream:
		c.Upstreams[o.Name], err = s.Upstream(o.Name)
	case config.KindPlugin:
		c.Plugins[o.Name], err = s.Plugin(o.Name)
	case config.KindCertificate:
		c.Certificates[o.Name], err = s.Certificate(o.Name)
	default:
		err = fmt.Errorf("a kind of object that is not compared: %s %q", o.Kind, o.Name)
	}
	return err
}
