package protocols

import (
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

const (
	interopTime = time.Minute
	// orcaConfig lets the client look at the load reports that two of the cases are about.
	orcaConfig = `{"loadBalancingConfig": [{"test_backend_metrics_load_balancer": {}}]}`
)

// interopCases are all of grpc-go's own script: without those that need a cloud account or several servers.
func interopCases() []string {
	return []string{"empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream", "timeout_on_sleeping_server",
		"cancel_after_begin", "cancel_after_first_response", "status_code_and_message", "special_status_message", "custom_metadata",
		"unimplemented_method", "unimplemented_service", "orca_per_rpc", "orca_oob", "rpc_soak", "channel_soak"}
}

// TestInterop has grpc-go's interop client call grpc-go's interop server, in the clear or over TLS on both sides of the proxy.
func TestInterop(t *testing.T) {
	client, server := tool(t, "interop-client"), tool(t, "interop-server")
	for _, c := range []struct {
		name string
		tls  bool
	}{{"Cleartext", false}, {"TLS", true}} {
		t.Run(c.name, func(t *testing.T) {
			address, ca := newInteropServer(t, server, c.tls)
			if subject() != direct {
				f := newFront(t, wish{Upstream: address, H2Upstream: true, TLSUpstream: c.tls, GRPC: true})
				if address, ca = f.Plain, f.CA; c.tls {
					address = f.TLS
				}
			}
			host, port, _ := net.SplitHostPort(address)
			flags := []string{"--server_host", host, "--server_port", port, "--service_config_json", orcaConfig}
			if c.tls {
				flags = append(flags, "--use_tls", "--use_test_ca", "--ca_file", ca, "--server_host_override", "localhost")
			}
			for _, name := range interopCases() {
				t.Run(name, func(t *testing.T) {
					if out := runTool(t, interopTime, nil, client, append(flags, "--test_case", name)...); out.code != 0 {
						t.Errorf("exit code %d:\n%s", out.code, tail(out.text, 3000))
					}
				})
			}
		})
	}
}

// newInteropServer starts the server and returns its address and the file of the CA of its certificate.
func newInteropServer(t *testing.T, path string, overTLS bool) (address, ca string) {
	t.Helper()
	cert, key, ca, err := makeCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if address, err = freePort(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	args := []string{"--port", port}
	if overTLS {
		args = append(args, "--use_tls", "--tls_cert_file", cert, "--tls_key_file", key)
	}
	cmd := exec.Command(path, args...)
	cmd.Stderr = os.Stderr
	server, err := startChild(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.stop(); err != nil {
			t.Error(err)
		}
	})
	if err := server.listens(address); err != nil {
		t.Fatal(err)
	}
	return address, ca
}
