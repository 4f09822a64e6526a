package objects

import (
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"net/http"
	"os"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pingap/config"
	"pingap/config/pki"
	"pingap/control/admin/api"
	"pingap/control/source"
	"pingap/ipc"
)

// basic is what the original says of an instance. Figures are of all workers together, or of the host.
type basic struct {
	StartTime        int64             `json:"start_time"` // Unix seconds, of the supervisor
	Version          string            `json:"version"`
	RustcVersion     string            `json:"rustc_version"` // the compiler's, whatever it compiles
	Kernel           string            `json:"kernel"`
	ConfigHash       string            `json:"config_hash"`
	PID              string            `json:"pid"` // of the supervisor
	User             string            `json:"user"`
	Group            string            `json:"group"`
	Threads          int               `json:"threads"`
	Processing       int64             `json:"processing"`
	Accepted         uint64            `json:"accepted"`
	MemoryMB         int64             `json:"memory_mb"`
	Memory           string            `json:"memory"`
	Arch             string            `json:"arch"`
	CPUs             int               `json:"cpus"`
	PhysicalCPUs     int               `json:"physical_cpus"`
	TotalMemory      string            `json:"total_memory"`
	UsedMemory       string            `json:"used_memory"`
	Features         []string          `json:"features"`
	FDCount          int               `json:"fd_count"`
	TCPCount         int64             `json:"tcp_count"`
	TCP6Count        int64             `json:"tcp6_count"`
	SupportedPlugins []string          `json:"supported_plugins"`
	Healthy          map[string]health `json:"upstream_healthy_status"`
	SupportHistory   bool              `json:"support_history"`
	GitHash          string            `json:"git_hash"`
	Now              int64             `json:"now"`
}

type health struct {
	Healthy   int      `json:"healthy"`
	Total     int      `json:"total"`
	Unhealthy []string `json:"unhealthy_backends"`
}

func (o *Objects) getBasic(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	s, err := o.control.Source(ctx)
	if err != nil {
		return err
	}
	status, err := o.control.Status(ctx)
	if err != nil {
		return err
	}
	b := basic{Version: o.opt.Version, RustcVersion: runtime.Version(), Kernel: kernel(), ConfigHash: hash(s.SHA), Arch: runtime.GOARCH,
		Threads: runtime.GOMAXPROCS(0), CPUs: runtime.NumCPU(), PhysicalCPUs: cores(), Features: []string{"default", "tracing", "full"},
		Healthy: map[string]health{}, SupportHistory: s.Layout == source.ByItem && s.Kind != "memory", GitHash: commit(o.opt.Version), Now: time.Now().Unix()}
	b.processes(status)
	b.memory()
	b.owner()
	for _, p := range o.schema.Plugins {
		b.SupportedPlugins = append(b.SupportedPlugins, p.Category)
	}
	slices.Sort(b.SupportedPlugins)
	for _, t := range o.control.Totals(ctx) {
		b.Healthy[t.Upstream] = health{t.Healthy, t.Total, orEmpty(t.Unhealthy)}
	}
	b.TCPCount, b.TCP6Count = sockets("/proc/net/sockstat", "TCP:"), sockets("/proc/net/sockstat6", "TCP6:")
	return api.WriteJSON(w, b)
}

// hash is short enough for people, as the original's is; it only has to change when the configuration does.
func hash(sha string) string { return fmt.Sprintf("%X", crc32.ChecksumIEEE([]byte(sha))) }

// commit is what a long version ends with in brackets.
func commit(version string) string {
	_, rest, _ := strings.Cut(version, "(")
	text, _, _ := strings.Cut(rest, ")")
	return text
}

func (b *basic) processes(all *ipc.StatusAll) {
	var memory int64
	for _, p := range all.Processes {
		if p.Kind == "supervisor" {
			b.PID, b.StartTime = strconv.Itoa(p.PID), time.Now().Add(-p.Uptime).Unix()
		}
		if p.Status == nil {
			continue
		}
		memory += p.Status.RSS
		b.FDCount += p.Status.FDs
		if p.Kind == ipc.RoleWorker {
			b.Processing += p.Status.InFlight
			b.Accepted += p.Status.Requests
		}
	}
	b.MemoryMB, b.Memory = memory>>20, config.Size(memory).String()
}

// memory is that of the host.
func (b *basic) memory() {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return
	}
	kib := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 2 {
			kib[fields[0]], _ = strconv.ParseInt(fields[1], 10, 64) // a figure that is none shows as 0
		}
	}
	b.TotalMemory = config.Size(kib["MemTotal:"] << 10).String()
	b.UsedMemory = config.Size((kib["MemTotal:"] - kib["MemAvailable:"]) << 10).String()
}

func (b *basic) owner() {
	uid, gid := strconv.Itoa(os.Geteuid()), strconv.Itoa(os.Getegid())
	b.User, b.Group = uid, gid
	if u, err := user.LookupId(uid); err == nil {
		b.User = u.Username
	}
	if g, err := user.LookupGroupId(gid); err == nil {
		b.Group = g.Name
	}
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// cores are those that are not threads of another.
func cores() int {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.NumCPU()
	}
	seen := map[string]bool{}
	chip := ""
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(name) {
		case "physical id":
			chip = strings.TrimSpace(value)
		case "core id":
			seen[chip+" "+strings.TrimSpace(value)] = true
		}
	}
	if len(seen) == 0 {
		return runtime.NumCPU()
	}
	return len(seen)
}

// sockets is how many the kernel has in use.
func sockets(path, protocol string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) >= 3 && fields[0] == protocol {
			n, _ := strconv.ParseInt(fields[2], 10, 64)
			return n
		}
	}
	return 0
}

// shownCertificate is a certificate as the original tells of it, but for its key.
type shownCertificate struct {
	Domains   []string `json:"domains"`
	PEM       []int    `json:"pem"` // bytes: the original writes them as numbers
	ACME      *string  `json:"acme"`
	NotAfter  int64    `json:"not_after"`
	NotBefore int64    `json:"not_before"`
	Issuer    string   `json:"issuer"`
}

// getCertificates answers the certificates that are live. Of one that a CA is to issue the inventory knows more.
func (o *Objects) getCertificates(w http.ResponseWriter, r *http.Request) error {
	live, err := o.control.Kept(r.Context(), 0)
	if err != nil {
		return err
	}
	all := map[string]shownCertificate{}
	for name, c := range live.Certificates {
		one := shownCertificate{Domains: orEmpty(c.DomainList()), PEM: []int{}}
		if c.ACME != "" {
			one.ACME = &c.ACME
		}
		if info, ok := c.Info(); ok {
			one.NotAfter, one.NotBefore, one.Issuer = info.NotAfter.Unix(), info.NotBefore.Unix(), info.Issuer
			if len(one.Domains) == 0 {
				one.Domains = orEmpty(info.Domains)
			}
			chain, _ := pki.Certificates(c.CertPEM()) // Info has read them
			for _, link := range chain {
				for _, b := range pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: link.Raw}) {
					one.PEM = append(one.PEM, int(b))
				}
			}
		}
		all[name] = one
	}
	return api.WriteJSON(w, all)
}
