package main

import (
	"os"

	"pingap/config"
	"pingap/plugins"
)

// noACME is the variable that, when it is not empty, keeps certificates from being requested.
const noACME = "PINGAP_DISABLE_ACME"

func registry() *plugins.Registry {
	return plugins.NewRegistry(pluginList(), os.LookupEnv)
}

// configOptions are how configurations are checked, by -t and by control alike.
func configOptions() config.Options {
	r := registry()
	return config.Options{PluginChecker: r.ConfigChecker(), PluginUpstreams: r.Upstreams, KnownPlugin: r.KnownPlugin, NoACME: os.Getenv(noACME) != ""}
}
