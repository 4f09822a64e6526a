package supervisor

import (
	"maps"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

func TestWorkersAreToldTheVariablesThatTheConfigurationNames(t *testing.T) {
	set := map[string]string{"REGION": "eu", "ZONE": "a b\n", "EMPTY": "", "PATH": "/bin", "NOTIFY_SOCKET": "/n", "LISTEN_FDS": "3",
		"WATCHDOG_USEC": "1", "TABLEFLIP_X": "1", "PINGAP_ADMIN_ADDR": "user:password@h", "PINGAP_CONF": "etcd://h/p?user=u&password=p"}
	i := launch(t, func(o *Options) {
		o.Env = func(name string) (string, bool) {
			value, ok := set[name]
			return value, ok
		}
	})
	i.takeControl()
	told := func(base, sha string, names ...string) map[string]string {
		t.Helper()
		p := i.proposal(base, sha)
		p.Env = names
		i.mustApply(p)
		a := i.ask()
		for _, v := range a.Env {
			if name, _, _ := strings.Cut(v, "="); name != "FAKE_DIR" {
				t.Errorf("the process has %s", v)
			}
		}
		return a.Told
	}
	if got, want := told("", "one", "REGION", "EMPTY", "UNSET"), map[string]string{"REGION": "eu", "EMPTY": ""}; !maps.Equal(got, want) {
		t.Errorf("at the start: %q, want %q", got, want)
	}
	var all []string
	for name := range set {
		all = append(all, name)
	}
	want := map[string]string{"REGION": "eu", "ZONE": "a b\n", "EMPTY": "", "PATH": "/bin"}
	if got := told("one", "two", all...); !maps.Equal(got, want) {
		t.Errorf("with an apply: %q, want %q", got, want)
	}
	before := pids(i.status())
	for _, pid := range before {
		unix.Kill(pid, unix.SIGKILL)
	}
	i.until("workers that came back", twoActive(before...))
	if got := i.ask().Told; !maps.Equal(got, want) {
		t.Errorf("after a restart: %q, want %q", got, want)
	}
}

func TestVariablesAreBounded(t *testing.T) {
	i := boot(t, nil)
	p := i.proposal("one", "two")
	for n := range maxVariables + 1 {
		p.Env = append(p.Env, strconv.Itoa(n))
	}
	i.mustRefuse(p, ipc.CodeInvalid)
	p = i.proposal("one", "two")
	p.Env = []string{"A"}
	i.mustApply(p)
}
