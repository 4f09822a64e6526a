package control

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"pingap/ipc"
)

// Workers know where metrics are before they get the first configuration that shows them, and are not told again; what they find there is of
// the configuration that is live.
func TestMetricsAreShownToWorkers(t *testing.T) {
	with := strings.Replace(base, "addr = ", "prometheus_metrics = '/metrics'\naddr = ", 1)
	if with == base {
		t.Fatal("the configuration of the rig has changed")
	}
	r := newRig(t, base, rigOptions{})
	r.boot()
	r.write(with)
	u := r.dial()
	u.send(ipc.Reload{})
	m := r.receive()
	told, ok := m.Body.(*ipc.State)
	if !ok || len(told.Items) != 1 || told.Items[0].Kind != ipc.StateWeb || told.Items[0].Private {
		t.Fatalf("%T: %+v", m.Body, m.Body)
	}
	item := told.Items[0]
	item.Body = append(ipc.Secret{}, item.Body...)
	r.send(m.Txn, ipc.StateTaken{Workers: 2})
	m.Close()
	r.apply(r.expectProposal(), 2)
	type answer struct {
		status int
		body   string
	}
	answers := make(chan answer, 1)
	go func() {
		for { // the configuration is taken in the background
			status, body := ask(t, item, "/metrics/web")
			if status != http.StatusNotFound {
				answers <- answer{status, body}
				return
			}
		}
	}()
	var got answer
	r.serve("a page", func() bool {
		select {
		case got = <-answers:
			return true
		default:
			return false
		}
	})
	if got.status != 200 || !strings.Contains(got.body, "pingap_supervisor_answers 1") {
		t.Errorf("%d %.2000s", got.status, got.body)
	}
	r.write(strings.Replace(with, "/metrics", "/other", 1))
	u.send(ipc.Reload{})
	r.expectProposal() // it would fail on a State
}

func ask(t *testing.T, item ipc.StateItem, path string) (int, string) {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", string(item.Body[ipc.WebToken:]))
	}}}
	q, _ := http.NewRequest("GET", "http://control"+path, nil)
	q.Header.Set(ipc.WebField, hex.EncodeToString(item.Body[:ipc.WebToken]))
	answer, err := client.Do(q)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body)
}
