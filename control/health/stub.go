package health

import (
	"pingap/config"
	"time"
)

type Compiled struct{}

func Compile(u *config.Upstream) (*Compiled, error) { return &Compiled{}, nil }

type Target struct {
	Key     string
	Address config.Address
	Check   *Compiled
}
type Result struct {
	Key            string
	Healthy, First bool
	Reason         string
	At             time.Time
}
