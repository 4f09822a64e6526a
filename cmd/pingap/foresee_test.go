package main

import (
	"slices"
	"testing"
)

// Every plugin that decides is either asked by explain, or says itself what it would do. One that is neither is added to the second list when
// it has a Foresee, which its own test shows.
func TestEveryDecidingPluginCanBeExplained(t *testing.T) {
	own := []string{"admin", "cache", "forward_auth", "geo_restriction", "jwt", "limit", "traffic_splitting"}
	for _, f := range pluginList() {
		if len(f.Steps) > 0 && !f.Plain && !slices.Contains(own, f.Category) {
			t.Errorf("%s decides, and explain knows nothing of it: set Plain, or give it a Foresee", f.Category)
		}
		if f.Plain && slices.Contains(own, f.Category) {
			t.Errorf("%s is Plain and has a Foresee", f.Category)
		}
	}
}
