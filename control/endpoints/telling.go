package endpoints

import "pingap/ipc"

// fillTelling makes nobody of those who are not to be told.
func (o *Options) fillTelling() {
	if o.Turned == nil {
		o.Turned = func(string, string, bool) {}
	}
	if o.UpDown == nil {
		o.UpDown = func(string, bool) {}
	}
	if o.Problem == nil {
		o.Problem = func(string, string) {}
	}
}

// upDownLocked tells when an upstream has lost its last backend, or got one back. What is not checked counts as healthy, and a pool
// without backends is as it was.
func (d *Directory) upDownLocked(p *pool) {
	some, down := false, true
	for _, b := range p.backends {
		if b.uses == 0 {
			continue
		}
		if some = true; b.health != ipc.Unhealthy {
			down = false
			break
		}
	}
	if !some || down == p.down {
		return
	}
	p.down = down
	d.opt.UpDown(p.name, !down)
}
