package main

import (
	"pingap/plugins"
	basicauth "pingap/plugins/basic_auth"
	combinedauth "pingap/plugins/combined_auth"
	"pingap/plugins/compression"
	"pingap/plugins/csrf"
	forwardauth "pingap/plugins/forward_auth"
	imageoptim "pingap/plugins/image_optim"
	"pingap/plugins/jwt"
	keyauth "pingap/plugins/key_auth"
	"pingap/plugins/limit"
	"pingap/plugins/mock"
	"pingap/plugins/ping"
	"pingap/plugins/redirect"
	requestid "pingap/plugins/request_id"
	responseheaders "pingap/plugins/response_headers"
	subfilter "pingap/plugins/sub_filter"
)

// pluginList is every plugin of this build. A new plugin is a folder below plugins/ and a line here.
func pluginList() []plugins.Factory {
	return []plugins.Factory{
		basicauth.Factory(),
		compression.Factory(),
		imageoptim.Factory(),
		combinedauth.Factory(),
		csrf.Factory(),
		forwardauth.Factory(),
		jwt.Factory(),
		keyauth.Factory(),
		limit.Factory(),
		mock.Factory(),
		ping.Factory(),
		redirect.Factory(),
		requestid.Factory(),
		responseheaders.Factory(),
		subfilter.Factory(),
	}
}
