package main

import (
	"pingap/plugins"
	"pingap/plugins/mock"
	"pingap/plugins/ping"
)

// pluginList is every plugin of this build. A new plugin is a folder below plugins/ and a line here.
func pluginList() []plugins.Factory {
	return []plugins.Factory{
		mock.Factory(),
		ping.Factory(),
	}
}
