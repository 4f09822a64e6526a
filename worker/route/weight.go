package route

import (
	"strings"

	"pingap/config"
)

// Parts of a computed weight.
const (
	weightExact   = 1024
	weightPrefix  = 512
	weightRegex   = 256
	weightHost    = 128
	maxPathWeight = 64 // bytes of the path that count
)

// weightOf returns the configured weight, or the one computed from path and host as configured,
// prefix characters and blanks included.
func weightOf(cfg *config.Location) int {
	if cfg.Weight >= 0 {
		return cfg.Weight
	}
	return pathWeight(cfg.Path) + hostWeight(cfg.Host)
}

func pathWeight(path string) int {
	if len(path) <= 1 {
		return 0
	}
	weight := min(len(path), maxPathWeight)
	switch path[0] {
	case '=':
		return weight + weightExact
	case '~':
		return weight + weightRegex
	}
	return weight + weightPrefix
}

// hostWeight is flat for names; a list with an expression, found without trimming the entries,
// counts its length.
func hostWeight(host string) int {
	if host == "" {
		return 0
	}
	for part := range strings.SplitSeq(host, ",") {
		if strings.HasPrefix(part, "~") {
			return len(host)
		}
	}
	return weightHost
}
