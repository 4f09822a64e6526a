package worker

import (
	"maps"
	"sync"
)

// variables are those environment variables that configurations have named so far, as the supervisor told them: a worker has
// no environment of its own. None ever changes its value, so what was built with one stays right.
type variables struct {
	mu     sync.Mutex // guards values
	values map[string]string
}

// add takes what came with a configuration.
func (v *variables) add(told map[string]string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.values == nil {
		v.values = map[string]string{}
	}
	maps.Copy(v.values, told)
}

// lookup finds one as os.LookupEnv does.
func (v *variables) lookup(name string) (string, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	value, set := v.values[name]
	return value, set
}
