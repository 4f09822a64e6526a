package main

import (
	"pingap/plugins"
	acceptencoding "pingap/plugins/accept_encoding"
	"pingap/plugins/admin"
	basicauth "pingap/plugins/basic_auth"
	"pingap/plugins/cache"
	combinedauth "pingap/plugins/combined_auth"
	"pingap/plugins/compression"
	"pingap/plugins/cors"
	"pingap/plugins/csrf"
	"pingap/plugins/directory"
	forwardauth "pingap/plugins/forward_auth"
	georestriction "pingap/plugins/geo_restriction"
	imageoptim "pingap/plugins/image_optim"
	iprestriction "pingap/plugins/ip_restriction"
	"pingap/plugins/jwt"
	keyauth "pingap/plugins/key_auth"
	"pingap/plugins/limit"
	"pingap/plugins/mock"
	"pingap/plugins/ping"
	"pingap/plugins/redirect"
	refererrestriction "pingap/plugins/referer_restriction"
	requestid "pingap/plugins/request_id"
	responseheaders "pingap/plugins/response_headers"
	"pingap/plugins/stats"
	subfilter "pingap/plugins/sub_filter"
	trafficsplitting "pingap/plugins/traffic_splitting"
	uarestriction "pingap/plugins/ua_restriction"
)

// pluginList is every plugin of this build. A new plugin is a folder below plugins/ and a line here.
func pluginList() []plugins.Factory {
	return []plugins.Factory{
		acceptencoding.Factory(),
		admin.Factory(),
		basicauth.Factory(),
		cache.Factory(),
		combinedauth.Factory(),
		compression.Factory(),
		cors.Factory(),
		csrf.Factory(),
		directory.Factory(),
		forwardauth.Factory(),
		georestriction.Factory(),
		imageoptim.Factory(),
		iprestriction.Factory(),
		jwt.Factory(),
		keyauth.Factory(),
		limit.Factory(),
		mock.Factory(),
		ping.Factory(),
		redirect.Factory(),
		refererrestriction.Factory(),
		requestid.Factory(),
		responseheaders.Factory(),
		stats.Factory(),
		subfilter.Factory(),
		trafficsplitting.Factory(),
		uarestriction.Factory(),
	}
}
