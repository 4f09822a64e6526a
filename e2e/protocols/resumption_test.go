package protocols

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// resumptions of one session, enough to reach every worker.
const resumptions = 6

// TestResumption has openssl resume a session whichever worker accepts the connection.
func TestResumption(t *testing.T) {
	openssl := tool(t, "openssl")
	f := newFront(t, wish{Upstream: newBackend(t)})
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(strings.TrimPrefix(version, "-"), func(t *testing.T) {
			session := filepath.Join(t.TempDir(), "session")
			first := connectTLS(t, openssl, f, version, "-sess_out", session)
			if !strings.Contains(first, "New, TLSv1.") || !strings.Contains(first, "HTTP/1.1 200") {
				t.Fatalf("first connection:\n%s", tail(first, 4000))
			}
			for i := range resumptions {
				text := connectTLS(t, openssl, f, version, "-sess_in", session)
				if !strings.Contains(text, "Reused, TLSv1.") || !strings.Contains(text, "HTTP/1.1 200") {
					t.Errorf("connection %d was not resumed:\n%s", i+2, tail(text, 2000))
				}
			}
		})
	}
}

// connectTLS makes one request and returns what openssl says about the connection.
func connectTLS(t *testing.T, openssl string, f *front, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	args = append([]string{"s_client", "-connect", f.TLS, "-servername", "localhost", "-CAfile", f.CA, "-verify_return_error", "-ign_eof"}, args...)
	cmd := exec.CommandContext(ctx, openssl, args...)
	cmd.Stdin = strings.NewReader("GET /bytes/10 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %q: %v\n%s", args, err, tail(string(out), 2000))
	}
	return string(out)
}
