package telemetry

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// SyslogFormat is the form of syslog messages.
type SyslogFormat uint8

// The forms: the traditional one as local daemons take it (without a host name; over UDP with one), and RFC 5424.
const (
	RFC3164 SyslogFormat = iota
	RFC5424
)

// Severity is a syslog severity (RFC 5424 section 6.2.1).
type Severity uint8

// The severities in use.
const (
	SeverityCritical Severity = 2
	SeverityError    Severity = 3
	SeverityWarning  Severity = 4
	SeverityInfo     Severity = 6
	SeverityDebug    Severity = 7
)

const (
	facilityUser = 1
	// maxTag is the length of the process name in a message: APP-NAME of RFC 5424 allows 48.
	maxTag = 48
	// maxHostname is the length of HOSTNAME of RFC 5424.
	maxHostname = 255
	// maxSyslogLine is what daemons take of a message by default; longer ones are cut.
	maxSyslogLine = 8 << 10
	// syslogWait bounds the wait for a daemon that does not read, per batch.
	syslogWait = time.Second
)

// errNoSocket says that there is neither a connection nor a way to make one.
var errNoSocket = errors.New("syslog: no socket")

// SyslogOptions configure a Syslog.
type SyslogOptions struct {
	Format SyslogFormat
	// Facility is 0 to 23, usually Target.Facility.
	Facility int
	// Remote says that another machine gets the messages, which needs the name of this one in either format.
	Remote bool
	// Process is the tag of each message.
	Process string
	// Conn is a connected datagram socket, as the supervisor hands it out; nil dials at first use.
	Conn net.Conn
	// Dial connects again when sending fails; nil never does.
	Dial func() (net.Conn, error)
}

// Syslog sends messages to the local syslog daemon. It is used by one goroutine.
type Syslog struct {
	options  SyslogOptions
	hostname string
	pid      int
	buf      []byte
}

// NewSyslog returns a Syslog that owns o.Conn.
func NewSyslog(o SyslogOptions) *Syslog {
	hostname, err := os.Hostname()
	if err != nil || !visible(hostname, maxHostname) {
		hostname = "-"
	}
	if o.Process == "" {
		o.Process = "pingap"
	}
	return &Syslog{options: o, hostname: hostname, pid: os.Getpid()}
}

// DialSyslog returns a Dial for the datagram socket of a target: that at a path, or over UDP.
func DialSyslog(t Target) func() (net.Conn, error) {
	network := "unixgram"
	if t.UDP {
		network = "udp"
	}
	return func() (net.Conn, error) { return net.DialTimeout(network, t.Path, syslogWait) }
}

// FileConn returns the socket that file is, and takes file over.
func FileConn(file *os.File) (net.Conn, error) {
	defer file.Close() // the connection has a descriptor of its own
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("syslog: %w", err)
	}
	return conn, nil
}

// send sends one message, on a fresh connection if the present one fails.
func (s *Syslog) send(at time.Time, severity Severity, line []byte) error {
	s.buf = s.appendMessage(s.buf[:0], at, severity, line[:min(len(line), maxSyslogLine)])
	err := errNoSocket
	if s.options.Conn != nil {
		if err = s.sendNow(); err == nil {
			return nil
		}
	}
	if s.options.Dial == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	conn, dialErr := s.options.Dial()
	if dialErr != nil {
		return fmt.Errorf("syslog: %w", dialErr)
	}
	s.close()
	s.options.Conn = conn
	return s.sendNow()
}

func (s *Syslog) sendNow() error {
	if err := s.options.Conn.SetWriteDeadline(time.Now().Add(syslogWait)); err != nil {
		return err
	}
	_, err := s.options.Conn.Write(s.buf)
	return err
}

func (s *Syslog) close() error {
	if s.options.Conn == nil {
		return nil
	}
	conn := s.options.Conn
	s.options.Conn = nil
	return conn.Close()
}

// appendMessage appends the header of s.options.Format and the line.
func (s *Syslog) appendMessage(dst []byte, at time.Time, severity Severity, line []byte) []byte {
	o := &s.options
	dst = append(dst, '<')
	dst = strconv.AppendInt(dst, int64(o.Facility*8+int(severity)), 10)
	if o.Format == RFC3164 {
		dst = at.Local().AppendFormat(append(dst, '>'), time.Stamp)
		if o.Remote {
			dst = append(append(dst, ' '), s.hostname...)
		}
		dst = append(append(dst, ' '), o.Process...)
		dst = strconv.AppendInt(append(dst, '['), int64(s.pid), 10)
		return append(append(dst, "]: "...), line...)
	}
	dst = at.Local().AppendFormat(append(dst, ">1 "...), "2006-01-02T15:04:05.000000Z07:00")
	dst = append(append(dst, ' '), s.hostname...)
	dst = append(append(dst, ' '), o.Process...)
	dst = strconv.AppendInt(append(dst, ' '), int64(s.pid), 10)
	return append(append(dst, " - - "...), line...)
}

// parseFacility knows the names of RFC 5424 table 1 as syslog.conf writes them, with or without "log_".
func parseFacility(name string) (int, bool) {
	names := [...]string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron",
		"authpriv", "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
		"local5", "local6", "local7"}
	for i, n := range names {
		if n == name || "log_"+n == name {
			return i, true
		}
	}
	return 0, false
}

// validTag reports whether a process name may stand in the header of a message.
func validTag(name string) bool {
	return visible(name, maxTag) && !strings.ContainsAny(name, "[]:")
}

// visible reports whether text has 1 to most bytes, all visible ASCII.
func visible(text string, most int) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return text != "" && len(text) <= most
}
