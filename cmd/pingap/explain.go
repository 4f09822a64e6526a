package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"pingap/control"
	"pingap/control/source"
	"pingap/ipc"
	"pingap/worker"
	"pingap/worker/explain"
)

func explainVerb() verb {
	return verb{
		name: "explain", summary: "Say what would become of a request.",
		help: `Usage: pingap explain [METHOD] URL [-H 'NAME: VALUE'] [--http2 | --grpc]
                     [--client IP] [--server NAME] [--config PATH] [--json]

Says which location takes a request and why the others do not, what each plugin
says to it, how path and headers are changed, and which backend is chosen and
why. Nothing is sent, counted or changed by it. The running instance answers,
by the configuration and the health that it has; with --config nothing needs to
run: the configuration there is read, and backends are taken to be healthy.

The URL's scheme, host and port say which server is asked. METHOD is GET where
it is not given, with --grpc POST. The exit code is 0 even where the answer would be an error, and
1 where nothing can be told.
`,
		flags: []flagSpec{
			{long: "header", short: 'H', value: "HEADER", help: "A header of the request, 'Name: value'. May be given several times.",
				set: func(o *options, text string) error { return o.addHeader(text) }},
			{long: "http2", set: on(func(o *options) *bool { return &o.http2 }), help: "The request comes over HTTP/2: agreed on by TLS, or with prior knowledge in the clear. With -H 'Upgrade: websocket' it is what HTTP/2 has for that."},
			{long: "grpc", set: on(func(o *options) *bool { return &o.grpc }), help: "The same, as a call of gRPC: with content-type: application/grpc and te: trailers, unless -H says something else."},
			{long: "client", value: "IP", set: text(func(o *options) *string { return &o.client }), help: "Address that the request comes from. Default 127.0.0.1."},
			{long: "server", value: "NAME", set: text(func(o *options) *string { return &o.server }), help: "Ask this server, in place of all that the URL may mean."},
			{long: "config", short: 'c', value: "PATH", set: text(func(o *options) *string { return &o.conf }), help: "Explain by this configuration in place of the one that is live. As -c of the start."},
			{long: "json", set: on(func(o *options) *bool { return &o.json }), help: "Print JSON."},
		},
		arguments: true,
		timeout:   10 * time.Second,
		run:       runExplain,
	}
}

// addHeader takes a value of -H.
func (o *options) addHeader(text string) error {
	name, value, found := strings.Cut(text, ":")
	if !found || strings.TrimSpace(name) == "" {
		return fmt.Errorf("expected 'Name: value', found %q", text)
	}
	o.headers = append(o.headers, [2]string{strings.TrimSpace(name), strings.TrimSpace(value)})
	return nil
}

func runExplain(ctx context.Context, c *call) int {
	q := explain.Question{Headers: c.headers, Client: c.client, Server: c.server}
	switch {
	case c.grpc:
		q.Protocol = explain.ProtocolGRPC
	case c.http2:
		q.Protocol = explain.ProtocolH2
	}
	switch len(c.rest) {
	case 1:
		q.URL = c.rest[0]
	case 2:
		q.Method, q.URL = c.rest[0], c.rest[1]
	default:
		return c.fail(usagef("explain needs a method and a URL, found %q", c.rest))
	}
	answer, code := c.explained(ctx, &q)
	if code != exitDone {
		return code
	}
	return c.printExplanation(answer)
}

// explained is the answer in JSON: of the running instance, or of a configuration.
func (c *call) explained(ctx context.Context, q *explain.Question) ([]byte, int) {
	if c.conf != "" {
		return c.explainConfig(ctx, q)
	}
	body, err := json.Marshal(q)
	if err == nil {
		body, err = c.adminRequest(ctx, "POST", "/explain", body)
	}
	if err != nil {
		return nil, c.failed(err)
	}
	return body, exitDone
}

// explainConfig builds what a worker would serve from a configuration, and asks that.
func (c *call) explainConfig(ctx context.Context, q *explain.Question) ([]byte, int) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, c.fail(err)
	}
	job := control.Job{Threads: -1, Workers: -1, Home: c.home(), Dir: dir}
	if job.Location, err = source.Parse(c.conf, source.Base{Home: job.Home, Dir: dir}); err != nil {
		return nil, c.fail(err)
	}
	v, snapshot := control.Check(ctx, job, configOptions(), nil)
	if c.printFindings(job, v) > 0 {
		return nil, exitFailed
	}
	answer, err := explainSnapshot(snapshot, v.Listeners, q)
	if err != nil {
		return nil, c.fail(err)
	}
	return answer, exitDone
}

func explainSnapshot(snapshot []byte, listeners []ipc.Listener, q *explain.Question) ([]byte, error) {
	site, err := worker.Still(snapshot, listeners, pluginList(), os.LookupEnv)
	if err != nil {
		return nil, err
	}
	e, err := site.Explain(q)
	if err != nil {
		return nil, err
	}
	return json.Marshal(e)
}

func (c *call) printExplanation(answer []byte) int {
	var err error
	if c.json {
		var out bytes.Buffer
		if err = json.Indent(&out, answer, "", "  "); err == nil {
			out.WriteByte('\n')
			_, err = out.WriteTo(c.stdout)
		}
	} else {
		var e explain.Explanation
		if err = json.Unmarshal(answer, &e); err == nil {
			err = e.Print(c.stdout)
		}
	}
	if err != nil {
		return c.fail(err)
	}
	return exitDone
}
