package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A change that comes to one node is in etcd, and live on all; of writers at two nodes none loses what the other wrote.
func TestAChangeThroughOneNodeIsLiveOnAll(t *testing.T) {
	t.Parallel()
	s := newEtcd(t)
	f := &nodes{t: t, addr: freePort(t)}
	putAll(t, s, f.addr, "text-1")
	conf := rootConf(s, "&enable_history=true")
	for range 2 {
		f.all = append(f.all, node(t, workDir(t), conf))
	}
	for _, i := range f.all {
		i.waitRunning()
	}
	f.live("start", "text-1", time.Now())
	a := f.all[0].admin()

	began := time.Now()
	set := func(text string) string {
		return fmt.Sprintf(`{"set":{"plugin":{"text":{"category":"mock","status":200,"data":%q}}}}`, text)
	}
	if p := answered[preview](a, 200, "POST", "/changes?dry_run", set("text-2")); !strings.Contains(p.Text, `+data = "text-2"`) {
		t.Errorf("%+v", p)
	}
	done := answered[outcome](a, 200, "POST", "/changes", set("text-2"), "If-Match", `"1"`)
	if done.Version != 2 || len(done.Workers) != 1 {
		t.Errorf("%+v", done)
	}
	f.live("a change through a node", "text-2", began)
	contains(t, ctl(t, s, "get", "/pingap/plugins/text.toml"), `data = "text-2"`)

	type history struct {
		History []struct {
			Data struct{ Data string } `json:"data"`
		} `json:"history"`
	}
	if h := answered[history](a, 200, "GET", "/config-history/plugin/text", ""); len(h.History) != 1 || h.History[0].Data.Data != "text-1" {
		t.Errorf("%+v", h)
	}

	ends := make(chan error, 2)
	for n, i := range f.all {
		client := i.admin()
		go func() { // ends with its requests, which have bounds
			var err error
			for k := 0; k < 5 && err == nil; k++ {
				err = client.adds(fmt.Sprintf("n%d-%d", n, k))
			}
			ends <- err
		}()
	}
	for range f.all {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
	for n := range f.all {
		for k := range 5 {
			contains(t, ctl(t, s, "get", fmt.Sprintf("/pingap/upstreams/n%d-%d.toml", n, k)), "addrs")
		}
	}
	for _, i := range f.all {
		i.eventually("all is live", func() error {
			if text := i.shown(); strings.Count(text, "[upstreams.n") != 10 {
				return fmt.Errorf("%s", text)
			}
			return nil
		})
	}
	back := answered[outcome](a, 200, "POST", "/versions/1/rollback", "")
	if out := ctl(t, s, "get", "--prefix", "--keys-only", "/pingap/upstreams"); back.Version == 0 || strings.TrimSpace(out) != "" {
		t.Errorf("after a rollback there is %s", out)
	}
	f.live("a rollback", "text-1", time.Now())
}

// adds makes an upstream, once more where another was quicker.
func (a *admin) adds(name string) error {
	for {
		r, err := a.try("POST", "/changes", fmt.Sprintf(`{"set":{"upstream":{%q:{"addrs":["127.0.0.1:1"]}}}}`, name))
		if err != nil || r.status == 200 {
			return err
		}
		if r.status != 412 {
			return fmt.Errorf("%+v", r)
		}
	}
}
