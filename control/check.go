package control

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pingap/config"
	"pingap/control/source"
	"pingap/ipc"
	"pingap/telemetry"
)

// resolveTime bounds the look-up of one listening address.
const resolveTime = 2 * time.Second

// Check reads and judges a configuration in this process. The snapshot is nil
// when the verdict has errors. live is what to compare with, nil for nothing.
func Check(ctx context.Context, job Job, opt config.Options, live *config.Snapshot) (Verdict, []byte) {
	docs, err := job.read()
	if err != nil {
		return Verdict{Errors: []string{err.Error()}}, nil
	}
	v := Verdict{Digest: source.Digest(docs)}
	opt.Strict, opt.Admin = job.Strict, job.Admin
	opt.ReadFile = source.Base{Home: job.Home, Dir: job.Dir}.Named
	cfg, report := config.Load(documents(docs), opt)
	v.Warnings = lines(report.Warnings)
	if len(report.Errors) > 0 {
		v.Errors, v.Problems = lines(report.Errors), report.Errors
		return v, nil
	}
	c := checker{ctx: ctx, job: job, verdict: &v}
	c.listeners(cfg)
	c.logs(cfg)
	c.settings(cfg)
	v.Env = cfg.Variables()
	for _, certificate := range cfg.Certificates {
		v.ACME = v.ACME || certificate.ACME != ""
	}
	if v.ACME && job.Location.Remote() && job.Location.Etcd.ACMESecret == "" && !opt.NoACME {
		v.Warnings = append(v.Warnings, "each node requests its own certificates from the CA, and only that node answers the challenge: "+
			"give all nodes the same acme_secret in the URL of etcd (docs/acme.md), so that one requests them for all; or let one node do so "+
			"(PINGAP_DISABLE_ACME on the others), or use challenges by DNS")
	}
	if stale := job.Location.Mixed(docs); len(stale) > 0 {
		v.Warnings = append(v.Warnings, "the configuration is in a mixed layout, all of it is read; not where pingap itself would write it: "+
			strings.Join(clip(stale, 1<<10), ", ")+"; pingap config migrate brings it there")
	}
	if len(v.Errors) > 0 {
		return v, nil
	}
	snapshot, sha := config.Encode(cfg)
	v.SHA = sha.String()
	if err := v.compare(live, cfg, snapshot); err != nil {
		v.Errors = append(v.Errors, err.Error())
		return v, nil
	}
	return v, snapshot
}

// read returns what is to be judged.
func (j *Job) read() ([]source.Document, error) {
	docs, err := j.Documents, error(nil)
	if docs == nil {
		docs, err = j.Location.Read()
	}
	if err == nil && j.Watch && !j.Location.Fixed() {
		err = j.Location.Watchable(docs)
	}
	return docs, err
}

func documents(docs []source.Document) []config.Document {
	out := make([]config.Document, len(docs))
	for i, d := range docs {
		out[i] = config.Document{Name: d.Path, Data: d.Data}
	}
	return out
}

func lines(problems []config.Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.String())
	}
	return out
}

func more(n int) string { return fmt.Sprintf("and %d more", n) }

// checker turns a configuration into what the supervisor needs to know of it.
type checker struct {
	ctx     context.Context
	job     Job
	verdict *Verdict
}

func (c *checker) fail(key string, err error) {
	problem := config.Problem{Key: key, Message: err.Error()}
	c.verdict.Errors = append(c.verdict.Errors, problem.String())
	c.verdict.Problems = append(c.verdict.Problems, problem)
}

// listeners resolves the addresses of all servers, in the order of their names.
func (c *checker) listeners(cfg *config.Config) {
	var all []ipc.Listener
	for _, name := range sorted(cfg.Servers) {
		s := cfg.Servers[name]
		for _, a := range s.Addresses() {
			l, err := c.listener(s, a)
			if err != nil {
				c.fail("servers."+name+".addr", err)
				continue
			}
			all = append(all, l)
		}
	}
	bothFamilies(all)
	used := map[string]string{} // address to server
	for _, l := range all {
		if other, ok := used[l.Address]; ok {
			c.fail("servers."+l.Server+".addr", fmt.Errorf("%s is already the address of server %s", l.Address, other))
			continue
		}
		used[l.Address] = l.Server
		l.ID = ipc.ListenerID(l)
		c.verdict.Listeners = append(c.verdict.Listeners, l)
	}
}

// bothFamilies lets [::] take IPv4 too, as it does by default on Linux, except
// where the same port is wanted on an IPv4 address by itself.
func bothFamilies(all []ipc.Listener) {
	v4 := map[string]bool{} // ports
	for _, l := range all {
		if _, port, err := net.SplitHostPort(l.Address); err == nil && l.Network == "tcp4" {
			v4[port] = true
		}
	}
	for i := range all {
		host, port, err := net.SplitHostPort(all[i].Address)
		if err == nil && host == "::" && !v4[port] {
			all[i].Network = "tcp"
		}
	}
}

func (c *checker) listener(s *config.Server, a config.Address) (ipc.Listener, error) {
	l := ipc.Listener{Server: s.Name, FastOpen: s.TCPFastopen, ReusePort: s.ReusePort}
	if a.Network == "unix" {
		l.Network, l.Address = "unix", a.Path
		l.FastOpen, l.ReusePort = 0, false
	} else {
		ip, err := c.resolve(a.Host)
		if err != nil {
			return l, err
		}
		l.Network = "tcp6"
		if p := net.ParseIP(ip); p != nil && p.To4() != nil {
			l.Network = "tcp4"
		}
		l.Address = net.JoinHostPort(ip, strconv.Itoa(a.Port))
	}
	return l, nil
}

// resolve finds the address to bind for a host: itself, or the first IPv4
// address of a name, or its first at all. No host means every address of all
// families that the kernel has.
func (c *checker) resolve(host string) (string, error) {
	if host == "" && hasIPv6() {
		return "::", nil
	}
	if host == "" {
		return "0.0.0.0", nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, resolveTime)
	defer cancel()
	ips, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return "", fmt.Errorf("expected a host with an address: %w", err)
	}
	for _, ip := range ips {
		if p := net.ParseIP(ip); p != nil && p.To4() != nil {
			return ip, nil
		}
	}
	return ips[0], nil
}

func hasIPv6() bool {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

// logs collects the targets that the supervisor has to open. In the snapshot
// their paths are absolute, as workers know neither home nor directory.
func (c *checker) logs(cfg *config.Config) {
	seen := map[string]ipc.LogRotation{}
	for _, name := range sorted(cfg.Servers) {
		t, err := c.logTarget(cfg.Servers[name])
		rotation, known := seen[t.ID]
		if err == nil && known && rotation != t.Rotation {
			err = fmt.Errorf("%s has other options of rotation in another server", t.Path)
		}
		if err != nil {
			c.fail("servers."+name+".access_log", err)
			continue
		}
		if t.Path != "" && !known {
			seen[t.ID] = t.Rotation
			c.verdict.Logs = append(c.verdict.Logs, t)
		}
	}
}

// logTarget is what to open for an access log; without a path there is nothing.
// It reads the directive as workers do, so that both mean the same target.
func (c *checker) logTarget(s *config.Server) (ipc.LogTarget, error) {
	var t ipc.LogTarget
	to, _, _ := telemetry.SplitDirective(s.AccessLog) // Load has warned
	switch to.Kind {
	case telemetry.Socket:
		if to.UDP {
			return t, nil
		}
		t = ipc.LogTarget{Network: "unixgram", Path: to.Path}
	case telemetry.File:
		path, err := source.Absolute(to.Path, source.Base{Home: c.job.Home, Dir: c.job.Dir})
		if err != nil {
			return t, err
		}
		t = ipc.LogTarget{Path: path, Rolling: to.Rolling, Rotation: RotationOf(to)}
		s.AccessLog = path + strings.TrimPrefix(strings.TrimSpace(s.AccessLog), to.Path)
	default:
		return t, nil
	}
	t.ID = ipc.LogTargetID(t)
	return t, nil
}

// RotationOf is what the supervisor is told of a log's options.
func RotationOf(to telemetry.Target) ipc.LogRotation {
	r := to.Rotation
	return ipc.LogRotation{MaxSize: int64(r.MaxSize), MaxAge: r.MaxAge.Std(), MaxFiles: r.MaxFiles, Compression: r.Compression, Level: r.Level}
}

// compression is what log_compress_* says of old log files.
func compression(b *config.Basic) ipc.LogCompress {
	algorithm, level := config.LogCompression(b.LogCompressAlgorithm, b.LogCompressLevel)
	if algorithm == "" {
		return ipc.LogCompress{}
	}
	const day = 24 * time.Hour
	return ipc.LogCompress{Algorithm: algorithm, Level: level, After: time.Duration(b.LogCompressDaysAgo) * day, Hour: b.LogCompressTimePointHour}
}

func (c *checker) settings(cfg *config.Config) {
	b := &cfg.Basic
	s := ipc.Settings{Workers: b.Workers, Threads: b.Threads, GracePeriod: b.GracePeriod.Std(), User: b.User,
		Group: b.Group, AllowRoot: b.AllowRoot, PIDFile: b.PidFile, LogLevel: b.LogLevel, LogJSON: b.LogFormatJSON, LogCompress: compression(b), Drain: ipc.DrainSettings{
			IdleGrace: b.DrainIdleGrace.Std(), Spread: b.DrainSpread.Std(), LongTimeout: b.DrainLongTimeout.Std(),
			MaxGenerations: b.MaxDrainingGenerations, MaxMemory: int64(b.MaxDrainingMemory), Orphan: b.OrphanGrace.Std(),
			Longest: longestDrain(cfg), Close: b.GracefulShutdownTimeout.Std()}}
	for _, l := range cfg.Locations {
		if l.MaxProcessing > 0 {
			s.Counters++
		}
	}
	c.countMetrics(cfg, &s)
	if c.job.Threads >= 0 {
		s.Threads = c.job.Threads
	}
	if c.job.Workers >= 0 {
		s.Workers = c.job.Workers
	}
	c.verdict.Settings = s
	c.verdict.ErrorLog = b.ErrorLog
}

// countMetrics counts what servers whose requests are counted name in the arena: for each a total of its own, one for all of its locations and one for each, and one for
// each upstream, as locations may choose by variable. What is in process is a counter. Connections to upstreams and files of caches are counted in any
// case: that costs no request anything, and whoever gets metrics later finds them right.
func (c *checker) countMetrics(cfg *config.Config, s *ipc.Settings) {
	for _, server := range cfg.Servers {
		if cfg.Basic.Counts(server, len(cfg.Servers), len(cfg.Locations), len(cfg.Upstreams)) {
			s.Totals += 2 + len(server.Locations) + len(cfg.Upstreams)
			s.Counters += 1 + len(server.Locations)
		}
	}
	s.Totals++
	s.Counters += len(cfg.Upstreams) + 2
}

// longestDrain is the most that a worker takes which has been replaced: each limit is spread a little.
func longestDrain(cfg *config.Config) time.Duration {
	b := &cfg.Basic
	longest := max(b.GracePeriod.Std(), b.DrainLongTimeout.Std())
	for _, l := range cfg.Locations {
		longest = max(longest, l.DrainTimeout.Std())
	}
	return longest + b.DrainSpread.Std()
}

func sorted[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
