package config

import "pingap/config/internal/similar"

// maxSuggestions bounds the search for similar names, which is the only work per problem
// that grows with the configuration.
const maxSuggestions = 50

// suggest gives `, did you mean "x"?` for the nearest candidate, or "".
func (l *loader) suggest(name string, candidates []string) string {
	if l.suggestions >= maxSuggestions {
		return ""
	}
	l.suggestions++
	best, distance := "", 3
	for _, c := range candidates {
		if d := similar.Distance(name, c, distance); d < distance && d*2 < len(c) {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return `, did you mean "` + best + `"?`
}

func (l *loader) suggestEntry(name string, kind Kind) string {
	if l.suggestions >= maxSuggestions {
		return ""
	}
	return l.suggest(name, sortedKeys(l.entries[kind]))
}
