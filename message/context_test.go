package message

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// fullRecord returns a record in which every phase happened.
func fullRecord(now int64) *Record {
	r := &Record{Conn: &Conn{
		ID: 42, Opened: now - int64(90*time.Minute),
		TLS: &TLS{Version: "TLSv1.3", Cipher: "TLS_AES_256_GCM_SHA384", Handshake: 15e6, ServerName: "a.test", Protocol: "h2",
			Resumed: true, Client: &Client{Subject: "CN=c", Fingerprint: "00ff"}},
		Remote:     netip.MustParseAddrPort("192.0.2.7:50123"),
		Local:      EndpointOf(netip.MustParseAddrPort("[::ffff:198.51.100.1]:8443")),
		RemoteText: []byte("192.0.2.7"),
	}}
	r.Reset()
	r.Trace = Trace{ID: TraceID{0x0123456789abcdef, 1}, Server: 0xff}
	r.Request.SetMethod([]byte("GET"))
	r.Request.SetTarget([]byte("/a/b?x=1"))
	r.Request.Host = []byte("example.com:8443")
	r.Request.Fields.Add("User-Agent", []byte("curl/8"))
	r.Start = now - int64(1299*time.Millisecond)
	r.Location, r.Processing, r.Status, r.ConfigVersion = "api", 3, 200, 12
	r.UpstreamAddr, r.UpstreamStatus, r.UpstreamConnected = "10.0.0.1:80", 201, 8
	r.UpstreamConnect, r.UpstreamTCPConnect, r.UpstreamTLSHandshake = 5e6, 2e6, 3e6
	r.UpstreamConnectionAge, r.UpstreamProcessing, r.UpstreamResponse = 61e9, 120e6, 999_999_999
	r.CompressionTime, r.CompressionRatio, r.CacheLookup, r.CacheLock = 4e6, 35, 0, 6e6
	return r
}

func TestContextValueOfEveryKey(t *testing.T) {
	want := map[string]string{
		"connection_id": "42", "connection_reused": "false", "connection_time": "5400000",
		"connection_time_human": "1.5h", "tls_version": "TLSv1.3", "tls_sni": "a.test", "tls_alpn": "h2", "tls_resumed": "true",
		"tls_client_subject": "CN=c", "tls_client_fingerprint": "00ff",
		"tls_cipher": "TLS_AES_256_GCM_SHA384", "tls_handshake_time": "15",
		"tls_handshake_time_human": "15ms", "location": "api", "processing": "3",
		"service_time": "1299", "service_time_human": "1.2s", "upstream_addr": "10.0.0.1:80",
		"upstream_status": "201", "upstream_reused": "false", "upstream_connected": "8",
		"upstream_connect_time": "5", "upstream_connect_time_human": "5ms",
		"upstream_tcp_connect_time": "2", "upstream_tcp_connect_time_human": "2ms",
		"upstream_tls_handshake_time": "3", "upstream_tls_handshake_time_human": "3ms",
		"upstream_connection_time": "61000", "upstream_connection_time_human": "1m",
		"upstream_processing_time": "120", "upstream_processing_time_human": "120ms",
		"upstream_response_time": "999", "upstream_response_time_human": "999ms",
		"compression_time": "4", "compression_time_human": "4ms", "compression_ratio": "3.5", "config_version": "12",
		"trace_id": "0123456789abcdef0000000000000001", "span_id": "00000000000000ff",
		"cache_lookup_time": "0", "cache_lookup_time_human": "0ms",
		"cache_lock_time": "6", "cache_lock_time_human": "6ms",
	}
	const now = int64(100 * time.Hour)
	r := fullRecord(now)
	for name, text := range want {
		key, ok := LookupContext(name)
		if !ok {
			t.Errorf("%s is not a key", name)
			continue
		}
		if got, ok := AppendContextAt(nil, key, r, now); !ok || string(got) != text {
			t.Errorf("%s = %q, %v; want %q", name, got, ok, text)
		}
	}
	for key := noContext + 1; key < contextCount; key++ {
		if _, tested := want[contextNames[key]]; !tested {
			t.Errorf("key %q has no case here", contextNames[key])
		}
	}
}

func TestContextValueOfWhatDidNotHappen(t *testing.T) {
	r := &Record{Conn: &Conn{Requests: 1, TLS: &TLS{Handshake: 5e6}}}
	r.Reset()
	present := map[string]string{"connection_id": "0", "connection_reused": "true",
		"upstream_reused": "false", "upstream_status": "-", "processing": "0",
		"connection_time": "0", "service_time": "0", "config_version": "0", "tls_resumed": "false"}
	for key := noContext + 1; key < contextCount; key++ {
		name := contextNames[key]
		want, exists := present[name]
		got, ok := AppendContextAt([]byte("x"), key, r, 0)
		if string(got) != "x"+want || ok != exists {
			t.Errorf("%s = %q, %v; want %q, %v", name, got, ok, "x"+want, exists)
		}
	}
}

func TestLookupContextKnowsNoOtherNames(t *testing.T) {
	for _, name := range []string{"", "_human", "location_human", "upstream_status_human", "Location",
		"compression_ratio_human", "service_time_human_human", "request_id"} {
		if key, ok := LookupContext(name); ok {
			t.Errorf("%q is key %d", name, key)
		}
	}
}

func TestHumanSize(t *testing.T) {
	cases := map[int64]string{-5: "0B", 0: "0B", 999: "999B", 1000: "1KB", 1234: "1.2KB", 1299: "1.2KB",
		999_999: "999.9KB", 1_000_000: "1MB", 1_560_000: "1.5MB", 2_000_000_000: "2GB", 1_234_000_000_000: "1234GB"}
	for n, want := range cases {
		if got := string(AppendHumanSize(nil, n)); got != want {
			t.Errorf("%d = %q, want %q", n, got, want)
		}
	}
}

func TestHumanDuration(t *testing.T) {
	cases := map[time.Duration]string{-1: "0ms", 999_999: "0ms", 12 * time.Millisecond: "12ms",
		999 * time.Millisecond: "999ms", time.Second: "1s", 1299 * time.Millisecond: "1.2s",
		59_999 * time.Millisecond: "59.9s", time.Minute: "1m", 90 * time.Second: "1.5m",
		time.Hour - 1: "59.9m", time.Hour: "1h", 140 * time.Minute: "2.3h", 1000 * time.Hour: "1000h"}
	for span, want := range cases {
		if got := string(AppendHumanDuration(nil, int64(span))); got != want {
			t.Errorf("%v = %q, want %q", span, got, want)
		}
	}
}

func TestClockAgreesWithNow(t *testing.T) {
	before := Now()
	at := Clock(time.Now())
	if after := Now(); at < before || at > after {
		t.Errorf("clock %d is not between %d and %d", at, before, after)
	}
}

func TestContextAllocatesNothing(t *testing.T) {
	r := fullRecord(Now())
	dst := make([]byte, 0, 4096)
	allocs := testing.AllocsPerRun(100, func() {
		dst = dst[:0]
		for key := noContext + 1; key < contextCount; key++ {
			dst, _ = AppendContext(dst, key, r)
			dst, _ = AppendContext(dst, key|human, r)
		}
	})
	if allocs != 0 || !strings.Contains(string(dst), "TLSv1.3") {
		t.Errorf("%v allocations for %q", allocs, dst)
	}
}
