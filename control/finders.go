package control

import (
	"pingap/control/discovery"
	"pingap/control/health"
)

func (p *process) newFinder() *discovery.Finder { return &discovery.Finder{} }

func (p *process) newChecker() *health.Checker {
	return &health.Checker{Report: func(r health.Result) { p.backends.Checked(r) }}
}
