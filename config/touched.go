package config

import (
	"sort"
	"strings"
)

// TouchedLocations names the locations that two snapshots do not hold in the same form. Both lists are ordered by kind and name, so that
// one walk finds out, where looking each up would be most of the work of a small change.
func TouchedLocations(before, after []Object) map[string]bool {
	names := map[string]bool{}
	a, b := ofLocations(before), ofLocations(after)
	for len(a) > 0 && len(b) > 0 {
		order := strings.Compare(a[0].Name, b[0].Name)
		if order < 0 || order == 0 && a[0].Sha != b[0].Sha {
			names[a[0].Name] = true
		}
		if order > 0 {
			names[b[0].Name] = true
		}
		if order <= 0 {
			a = a[1:]
		}
		if order >= 0 {
			b = b[1:]
		}
	}
	for _, o := range append(a[:len(a):len(a)], b...) {
		names[o.Name] = true
	}
	return names
}

// ofLocations is the part of an index that lists locations.
func ofLocations(all []Object) []Object {
	from := sort.Search(len(all), func(i int) bool { return all[i].Kind >= KindLocation })
	to := sort.Search(len(all), func(i int) bool { return all[i].Kind > KindLocation })
	return all[from:to]
}
