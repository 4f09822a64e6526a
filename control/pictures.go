package control

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/control/images"
	"pingap/ipc"
)

// picturesCategory is that of plugins which have pictures made anew.
const picturesCategory = "image_optim"

// pictures has pictures made anew once a configuration wants it, and then as long as control lives: a socket that nobody comes to costs
// nothing.
type pictures struct {
	mu   sync.Mutex // guards open
	open bool
}

// offerPictures opens the socket where a configuration wants it, and tells all workers, before they get the configuration. Without it
// pictures stay as they are.
func (p *process) offerPictures(ctx context.Context, s *config.Snapshot) {
	p.pictures.mu.Lock()
	defer p.pictures.mu.Unlock()
	if p.pictures.open || !wantsPictures(s) {
		return
	}
	k := &images.Keeper{Executable: p.opt.Executable, Log: p.log.Named("images"), As: p.runAs.credential}
	if err := k.Open(); err != nil {
		p.log.Error("pictures are not made anew", zap.Error(err))
		return
	}
	p.pictures.open = true
	p.wg.Go(func() { k.Run(ctx) })
	item := ipc.StateItem{Kind: ipc.StatePictures, Key: ipc.PicturesKey, Body: append(ipc.Secret(k.Token()), k.Name()...)}
	if err := (teller{p}).Publish(ctx, []ipc.StateItem{item}); err != nil {
		p.log.Error("workers do not know where pictures are made", zap.Error(err))
	}
}

func wantsPictures(s *config.Snapshot) bool {
	for _, o := range s.Objects() {
		if o.Kind != config.KindPlugin {
			continue
		}
		if plugin, err := s.Plugin(o.Name); err == nil && plugin.Category == picturesCategory {
			return true
		}
	}
	return false
}

// runAs is whom workers run as, for other goroutines than the loop.
type runAs struct {
	told atomic.Pointer[syscall.Credential]
}

// tell notes what the supervisor said; nil is that they stay root.
func (r *runAs) tell(as *ipc.Credential) {
	c := &syscall.Credential{}
	if as != nil {
		c.Uid, c.Gid = as.UID, as.GID
	}
	r.told.Store(c)
}

// credential is whom what reads pictures of strangers runs as, while this process is root still; nil while that is not known.
func (r *runAs) credential() *syscall.Credential { return r.told.Load() }
