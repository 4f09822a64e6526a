package main

import (
	"pingap/plugins"
	acceptencoding "pingap/plugins/accept_encoding"
	basicauth "pingap/plugins/basic_auth"
	"pingap/plugins/cors"
	georestriction "pingap/plugins/geo_restriction"
	iprestriction "pingap/plugins/ip_restriction"
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
		basicauth.Factory(),
		cors.Factory(),
		georestriction.Factory(),
		iprestriction.Factory(),
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
