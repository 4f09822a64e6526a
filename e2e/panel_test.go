package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// panelShots names the folder that pictures of the panel are put into; without it none are kept.
const panelShots = "PANEL_SHOTS"

// panelTools are what drives the panel: node, Chromium, and the packages that `make tools` installs.
func panelTools(t *testing.T) (modules, chromium string) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed (make tools)")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed (make tools)")
	}
	for _, dir := range []string{"../bin/tools/panel/node_modules", "../control/admin/web/node_modules"} {
		if _, err := os.Stat(filepath.Join(dir, "playwright-core")); err == nil {
			modules, err = filepath.Abs(dir)
			if err != nil {
				t.Fatal(err)
			}
			return modules, chromium
		}
	}
	t.Skip("playwright-core is not installed (make tools)")
	return "", ""
}

const panelPassword = "a-password-of-a-test"

// panelConf serves a backend and, below /panel, the panel.
func panelConf(addr, backend string) string {
	return fmt.Sprintf(`
[basic]
name = "shop-eu"
workers = 2

[servers.web]
addr = "%s"
locations = ["main", "panel"]

[locations.main]
path = "/load"
upstream = "main"

[locations.panel]
path = "/panel"
plugins = ["panel"]

[upstreams.main]
addrs = ["%s"]

[plugins.panel]
category = "admin"
path = "/panel"
authorizations = ["maria:%s"]
`, addr, backend, panelPassword)
}

// What panel/drive.mjs does, at two widths: log in, create an upstream and a location, see them serve, break one and read the error at its
// field, roll back, watch dashboard and log under load; and axe finds nothing serious on any page.
func TestThePanelIsDriven(t *testing.T) {
	modules, chromium := panelTools(t)
	for _, form := range []string{"desktop", "mobile"} {
		t.Run(form, func(t *testing.T) {
			backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "from the backend") }))
			defer backend.Close()
			addr := freePort(t)
			at := strings.TrimPrefix(backend.URL, "http://")
			startWritable(t, panelConf(addr, at))
			drivePanel(t, "PANEL_MODULES="+modules, "PANEL_CHROMIUM="+chromium, "PANEL_FORM="+form, "PANEL_URL=http://"+addr+"/panel/", "PANEL_PROXY=http://"+addr,
				"PANEL_BACKEND="+at, "PANEL_PASSWORD="+panelPassword)
		})
	}
}

// Where nothing is applied or can be saved the panel says so, and does not offer what will fail.
func TestThePanelSaysWhatItCannotDo(t *testing.T) {
	modules, chromium := panelTools(t)
	env := []string{"PANEL_MODULES=" + modules, "PANEL_CHROMIUM=" + chromium, "PANEL_FORM=desktop", "PANEL_BACKEND=none", "PANEL_PASSWORD=" + panelPassword}
	t.Run("panel only", func(t *testing.T) {
		addr, admin := freePort(t), freePort(t)
		dir, path := writable(t, panelConf(addr, "127.0.0.1:1"))
		launchAs(t, dir, func(cmd *exec.Cmd) {
			cmd.Env = append(os.Environ(), "PINGAP_ADMIN_ADDR="+admin, "PINGAP_ADMIN_USER=maria", "PINGAP_ADMIN_PASSWORD="+panelPassword)
		}, "-c", path, "--cp").waitRunning()
		drivePanel(t, append(env, "PANEL_WAY=alone", "PANEL_URL=http://"+admin+"/", "PANEL_PROXY=http://"+addr)...)
		if text := read(t, path); !strings.Contains(text, `"127.0.0.1:9"`) {
			t.Errorf("what was saved: %s", text)
		}
	})
	t.Run("locked", func(t *testing.T) {
		addr := freePort(t)
		dir, path := writable(t, panelConf(addr, "127.0.0.1:1"))
		folder := filepath.Dir(path)
		if err := os.Chmod(folder, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(folder, 0o755) })
		startIn(t, dir, path)
		drivePanel(t, append(env, "PANEL_WAY=locked", "PANEL_URL=http://"+addr+"/panel/", "PANEL_PROXY=http://"+addr)...)
	})
}

// startWritable starts an instance whose configuration may be written by the user that control runs as.
func startWritable(t *testing.T, conf string) {
	t.Helper()
	dir, path := writable(t, conf)
	startIn(t, dir, path)
}

// writable puts a configuration into a folder that everybody may write.
func writable(t *testing.T, conf string) (dir, path string) {
	t.Helper()
	dir = workDir(t)
	folder := filepath.Join(dir, "conf")
	path = filepath.Join(folder, "pingap.toml")
	write(t, path, conf)
	for name, mode := range map[string]os.FileMode{folder: 0o777, path: 0o666} {
		if err := os.Chmod(name, mode); err != nil { // whatever the mask
			t.Fatal(err)
		}
	}
	return dir, path
}

func drivePanel(t *testing.T, env ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join("panel", "drive.mjs"))
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = patience
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("driving the panel: %v (%s=FOLDER keeps pictures)", err, panelShots)
	}
}
