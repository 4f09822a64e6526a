package config

import (
	"fmt"
	"strconv"
	"time"
)

// Names of compression, and the extensions that files get by it.
const (
	Gzip = "gzip"
	Zstd = "zstd"
)

const (
	minLogSize  = 4 << 10 // of max_size, bytes: below it files would pile up
	maxLogFiles = 100_000
	gzipBest    = 9
	zstdBest    = 22
	usualLevel  = 9 // of either
)

// LogRotation is what becomes of a log file that has grown, and of those that came before it: options of a log's path. The zero
// value lets it grow and keeps all.
type LogRotation struct {
	MaxSize     Size     // a file that has grown to it is put aside; 0 is no bound
	MaxAge      Duration // files whose last line is older are removed; 0 is never
	MaxFiles    int      // that are kept beside the present one; 0 is all
	Compression string   // of files put aside: Gzip, Zstd or "" for none
	Level       int      // of it
}

// Set sets the option of this name. It reports whether there is such an option.
func (r *LogRotation) Set(key, value string) (known bool, err error) {
	switch key {
	case "max_size":
		n, err := ParseSize(value)
		if err != nil || n < minLogSize {
			return true, fmt.Errorf("max_size: expected a size of at least %s such as 100mb, found %q", Size(minLogSize), clip(value))
		}
		r.MaxSize = n
	case "max_age":
		d, err := ParseDuration(value)
		if err != nil || d < Duration(time.Second) {
			return true, fmt.Errorf("max_age: expected a duration of at least 1s such as 7days, found %q", clip(value))
		}
		r.MaxAge = d
	case "max_files":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > maxLogFiles {
			return true, fmt.Errorf("max_files: expected a number from 1 to %d, found %q", maxLogFiles, clip(value))
		}
		r.MaxFiles = n
	case "compression":
		if value != Gzip && value != Zstd {
			return true, fmt.Errorf("compression: expected gzip or zstd, found %q", clip(value))
		}
		r.Compression = value
	case "level":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > zstdBest {
			return true, fmt.Errorf("level: expected a number from 1 to %d, found %q", zstdBest, clip(value))
		}
		r.Level = n
	default:
		return false, nil
	}
	return true, nil
}

// LogCompression reads log_compress_algorithm and log_compress_level: any other word than gzip is zstd, "" is none.
func LogCompression(algorithm string, level int) (string, int) {
	switch algorithm {
	case "":
		return "", 0
	case Gzip:
	default:
		algorithm = Zstd
	}
	return algorithm, LogLevelOf(algorithm, level)
}

// LogLevelOf is the level of compression that a number means: 0 is the usual one, and none is above the best.
func LogLevelOf(algorithm string, level int) int {
	switch {
	case level <= 0:
		return usualLevel
	case algorithm == Gzip:
		return min(level, gzipBest)
	}
	return min(level, zstdBest)
}
