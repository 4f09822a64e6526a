package protocols

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	webSocketTime  = 2 * time.Minute
	webSocketCases = 15 // in testdata/ws.cjs
)

// TestWebSocket has npm's ws talk to itself: fragments, pings, closes, messages of 1 MiB, over HTTP/1.1 and over HTTP/2.
func TestWebSocket(t *testing.T) {
	node, env := nodeWithWS(t)
	plain := newWebSocketServer(t, node, env)
	cert, key, _, err := makeCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	secret := newWebSocketServer(t, node, env, cert, key)
	f := newFront(t, wish{Upstream: plain})
	through := newFront(t, wish{Upstream: secret, TLSUpstream: true})
	for _, c := range []struct{ name, url, version, ca string }{
		{"HTTP1", "ws://" + f.Plain, "h1", ""},
		{"HTTP1OverTLS", "wss://" + f.TLS, "h1", f.CA},
		{"HTTP1OverTLSOnBothSides", "wss://" + through.TLS, "h1", through.CA},
		{"HTTP2", "ws://" + f.Plain, "h2", ""},
		{"HTTP2OverTLS", "wss://" + f.TLS, "h2", f.CA},
		{"HTTP2OverTLSOnBothSides", "wss://" + through.TLS, "h2", through.CA},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.version == "h2" {
				refuses(t, nginx)
			}
			out := runTool(t, webSocketTime, env, node, "testdata/ws.cjs", "client", c.url, c.version, c.ca)
			if n := strings.Count("\n"+out.text, "\nok "); n != webSocketCases || out.code != 0 {
				t.Errorf("%d of %d cases passed, exit code %d:\n%s", n, webSocketCases, out.code, tail(out.text, 4000))
			}
		})
	}
}

// nodeWithWS returns node and the environment in which it finds ws.
func nodeWithWS(t *testing.T) (node string, env []string) {
	t.Helper()
	node = tool(t, "node")
	modules, err := filepath.Abs(filepath.Join(toolsDir, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "ws")); err != nil {
		t.Skip("ws is not installed (make tools)")
	}
	return node, []string{"NODE_PATH=" + modules}
}

// newWebSocketServer starts the server and returns its address.
func newWebSocketServer(t *testing.T, node string, env []string, files ...string) string {
	t.Helper()
	cmd := exec.Command(node, append([]string{"testdata/ws.cjs", "server"}, files...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	server, err := startChild(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := server.stop(); err != nil {
			t.Error(err)
		}
	})
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("read the port of the server: %v", err)
	}
	return "127.0.0.1:" + strings.TrimSpace(port)
}
