package otlp

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestDefaultsOfAnExporter(t *testing.T) {
	e, warnings, err := Parse("http://collector.test")
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if e.Endpoint != "collector.test:4317" || e.TLS || e.HTTP || e.Compression != "" || e.Timeout != 3*time.Second || e.MaxExport != 30*time.Second ||
		e.Delay != 5*time.Second || e.Queue != 2048 || e.Batch != 512 || e.Attributes != 16 || e.Events != 16 || e.Sample != 1 || e.Errors || e.Legacy ||
		e.Jaeger || e.Baggage {
		t.Errorf("%+v", e)
	}
	if list := e.Server("web"); len(list) != 1 || list[0] != (Pair{"service.name", "pingap:web"}) {
		t.Errorf("resource %v", list)
	}
}

func TestParametersOfAnExporter(t *testing.T) {
	e, warnings, err := Parse("https://c.test/otel/v1?protocol=http&timeout=1s&max_queue_size=7&scheduled_delay=250ms&max_export_batch_size=6&max_export_timeout=1m" +
		"&max_attributes=5&max_events=0&jaeger&baggage=true&compression=zstd&sample=0.01&errors&semconv=legacy&attributes=team:a,service.name:edge,b:c:d" +
		"&headers=Authorization:Bearer%20x,x-team:a")
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if e.Endpoint != "c.test:4318" || e.Path != "/otel/v1" || !e.TLS || !e.HTTP || e.Compression != "zstd" || e.Timeout != time.Second || e.MaxExport != time.Minute ||
		e.Delay != 250*time.Millisecond || e.Queue != 7 || e.Batch != 6 || e.Attributes != 5 || e.Events != 0 || e.Sample != 0.01 || !e.Errors || !e.Legacy ||
		!e.Jaeger || !e.Baggage || e.Headers["authorization"] != "Bearer x" || e.Headers["x-team"] != "a" {
		t.Errorf("%+v", e)
	}
	list := e.Server("web")
	if len(list) != 3 || list[0] != (Pair{"service.name", "edge"}) || list[1] != (Pair{"team", "a"}) || list[2] != (Pair{"b", "c:d"}) {
		t.Errorf("resource %v", list)
	}
}

func TestWhatHasNoEffectIsWarnedAbout(t *testing.T) {
	e, warnings, err := Parse("http://[::1]:99?compression=lz4&colour=red")
	if err != nil || len(warnings) != 2 || e.Compression != "gzip" || e.Endpoint != "[::1]:99" {
		t.Errorf("%+v, %q, %v", e, warnings, err)
	}
}

func TestBadExportersAreRefusedWithoutTheirSecrets(t *testing.T) {
	for text, want := range map[string]string{
		"collector:4317": "http://", "ftp://c": "http://", "http://": "expected a host", "http://user:hidden@c": "expected no user", "http://c/\x01hidden": "expected a URL",
		"http://c?timeout=hidden": "timeout: expected a time", "http://c?timeout=0s": "timeout", "http://c?sample=2": "sample: expected a share", "http://c?sample=NaN": "sample",
		"http://c?max_queue_size=0": "max_queue_size: expected a number of 1..", "http://c?max_queue_size=9999999": "max_queue_size", "http://c?semconv=new": "semconv",
		"http://c?protocol=udp": "protocol", "http://c?errors=perhaps": "errors", "http://c?headers=hidden": "headers: expected name:value",
		"http://c?headers=grpc-timeout:hidden": "headers: field grpc-timeout", "http://c?headers=a:hidden%0ax": "headers: field a", "http://c?attributes=a": "attributes",
		"http://c?headers=a:" + strings.Repeat("hidden", 300): "at most 1024 bytes", "http://c?a=%zz": "query",
	} {
		_, _, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

func TestEveryParameterIsExplained(t *testing.T) {
	for _, p := range Parameters() {
		if len(p.Help) < 20 || !strings.HasSuffix(p.Help, ".") {
			t.Errorf("%s: %q", p.Name, p.Help)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("http://c:1?timeout=3s&headers=a:b&attributes=c:d&sample=0.5&jaeger")
	f.Add("https://[::1]/p?protocol=http&compression=zstd")
	f.Fuzz(func(t *testing.T, text string) {
		e, _, err := Parse(text)
		if err == nil && (e.Endpoint == "" || e.Queue < 1 || e.Batch < 1 || e.Timeout <= 0 || !(e.Sample >= 0 && e.Sample <= 1)) {
			t.Errorf("%q: %+v", text, e)
		}
	})
}

// table is what docs/tracing.md has of the parameters.
func table() string {
	var b strings.Builder
	b.WriteString("| parameter | default | meaning |\n|---|---|---|\n")
	for _, p := range Parameters() {
		def := ""
		if p.Default != "" {
			def = "`" + p.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p.Name, def, p.Help)
	}
	return b.String()
}

func TestTheDocumentHasAllParameters(t *testing.T) {
	text, err := os.ReadFile("../../docs/tracing.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), table()) {
		t.Errorf("docs/tracing.md does not have this table:\n%s", table())
	}
}
