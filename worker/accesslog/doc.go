// Package accesslog makes one line of each exchange: a format is compiled once, and a Format appends
// lines without allocation. Where the lines go is a telemetry.Writer's business; Open makes the
// one that a directive asks for.
//
// # Values
//
// What comes from a client, an upstream or the environment cannot forge a line: in text formats the
// bytes " and \, controls and everything from 0x7f on are written as \xHH, in the json format as
// JSON writes them. Plain tags and headers without a value give "-"; cookies, environment variables
// and context keys give nothing.
//
// # The json format
//
// One object a line, all keys always present, in this order. Texts that are not known are "",
// numbers null.
//
//	time                    end of the exchange, RFC 3339, UTC, milliseconds
//	server                  name of the server
//	location                name of the location
//	remote                  address of the connection's peer
//	client_ip               address of the client behind trusted proxies
//	method                  request method
//	scheme                  http or https
//	host                    host of the request without its port
//	uri                     path and query, after a rewrite
//	proto                   HTTP/1.1 (1.0 as well) or HTTP/2.0
//	status                  status sent to the client, number
//	size                    body bytes sent to the client, number
//	payload_size            body bytes received from the client, number
//	latency_ms              from the first byte of the request to the end, number
//	referer                 request header Referer
//	user_agent              request header User-Agent
//	request_id              id of the request
//	connection_id           number of the client connection in its worker, number
//	connection_reused       whether the connection served a request before, boolean
//	tls_version             TLSv1.2, TLSv1.3
//	upstream                name of the upstream
//	upstream_addr           address of the backend
//	upstream_status         status of the backend, number
//	upstream_reused         whether a pooled connection was used, boolean
//	upstream_attempts       backends tried, number
//	upstream_connect_ms     time to have a connection, number
//	upstream_processing_ms  from there to the response head, number
//	upstream_response_ms    from there to the end of the body, number
//	error                   type of the error, as in X-Pingap-EType
//	config_version          configuration that served the request, number
//
// # Process
//
// It runs in workers. It opens no file and reads no environment.
package accesslog
