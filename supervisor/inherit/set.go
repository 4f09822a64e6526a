package inherit

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/socket"
	"pingap/supervisor/state"
	"pingap/supervisor/systemd"
)

// Names in the service manager's descriptor store. Those of listeners are their ids.
const (
	NameControl   = "control"
	NameAdmin     = "admin"
	NameArena     = "arena"
	workerPrefix  = "c-" // and the serial
	snapPrefix    = "s-" // and some of the sha
	listenPrefix  = "l-" // see ipc.ListenerID
	secretsPrefix = "k-" // and a number; the highest is the last
	shaInName     = 32
	noDescriptors = -1
	partPrefix    = NameArena + "-" // and its number, from 1 on
)

// NamePart names a further part of the arena, counted from 1.
func NamePart(n int) string { return partPrefix + strconv.Itoa(n) }

// NameWorker names the supervisor's end of a worker's socket.
func NameWorker(serial int) string { return workerPrefix + strconv.Itoa(serial) }

// NameSnapshot names a snapshot.
func NameSnapshot(sha string) string { return snapPrefix + sha[:min(len(sha), shaInName)] }

// NameSecrets names a memory file of package secrets.
func NameSecrets(serial int) string { return secretsPrefix + strconv.Itoa(serial) }

// Set is what was found. Its descriptors belong to whoever takes them out; -1 is none.
type Set struct {
	How       string         // ipc.RecordCrash, RecordRestart or RecordUpgrade; "" for nothing
	State     *state.State   // nil for nothing
	Lock      int            // of the run directory
	Control   int            // the listening control socket
	Admin     int            // that of the admin interface
	Arenas    []int          // the first that this build understands counts; workers of several supervisors may be there
	Parts     []int          // of these, in their order
	Snapshot  int            // of the live version
	Listeners map[string]int // by id
	Logs      map[string]int // by id
	Workers   map[int]*ipc.Conn
	Rescues   map[int]int
	Strangers []int // listening sockets without a known id: of a socket unit

	Secrets       int            // the memory file of package secrets
	SecretsSerial int            // of it
	Tickets       ipc.TicketKeys // that orphans hold; none where there is the memory file
	Told          []Told         // likewise; the first that makes sense counts

	snapshots map[string]int // stored ones by name, while it is not known which is live
	useless   []string       // names in the store of what has been closed
}

// Told is what an orphan was told beside the configuration.
type Told struct {
	FD     int // memory file, see ipc.ReadItems
	Number uint64
}

// Empty returns a set of nothing.
func Empty() *Set {
	return &Set{Lock: noDescriptors, Control: noDescriptors, Admin: noDescriptors, Snapshot: noDescriptors, Secrets: noDescriptors, Listeners: map[string]int{},
		Logs: map[string]int{}, Workers: map[int]*ipc.Conn{}, Rescues: map[int]int{}, snapshots: map[string]int{}}
}

// Stored sorts the descriptors of the service manager. What cannot be used is closed.
func Stored(fds []systemd.FD) *Set {
	in := Empty()
	var parts []systemd.FD
	for _, f := range fds {
		serial, isWorker := strings.CutPrefix(f.Name, workerPrefix)
		n, err := strconv.Atoi(serial)
		if number, isSecret := strings.CutPrefix(f.Name, secretsPrefix); isSecret {
			in.takeSecrets(number, f)
			continue
		}
		switch {
		case isWorker && err == nil && in.Workers[n] == nil:
			if conn, err := leading(f.FD); err == nil {
				in.Workers[n] = conn
			}
		case f.Name == NameControl && in.Control < 0:
			in.Control = f.FD
		case f.Name == NameAdmin && in.Admin < 0:
			in.Admin = f.FD
		case f.Name == NameArena:
			in.Arenas = append(in.Arenas, f.FD)
		case strings.HasPrefix(f.Name, partPrefix):
			parts = append(parts, f)
		case strings.HasPrefix(f.Name, snapPrefix) && in.snapshots[f.Name] == 0:
			in.snapshots[f.Name] = f.FD
		case strings.HasPrefix(f.Name, listenPrefix) && in.Listeners[f.Name] == 0:
			in.Listeners[f.Name] = f.FD
		default:
			in.Strangers = append(in.Strangers, f.FD)
		}
	}
	slices.SortStableFunc(parts, func(a, b systemd.FD) int { // 10 comes after 9
		return cmp.Or(len(a.Name)-len(b.Name), strings.Compare(a.Name, b.Name))
	})
	for _, f := range parts {
		in.Parts = append(in.Parts, f.FD)
	}
	return in
}

// takeSecrets keeps the newest memory file. There are two where a supervisor ended just as it replaced one.
func (in *Set) takeSecrets(number string, f systemd.FD) {
	serial, err := strconv.Atoi(number)
	if err != nil || serial <= in.SecretsSerial {
		unix.Close(f.FD)
		in.useless = append(in.useless, f.Name)
		return
	}
	if in.Secrets >= 0 {
		unix.Close(in.Secrets)
		in.useless = append(in.useless, NameSecrets(in.SecretsSerial))
	}
	in.Secrets, in.SecretsSerial = f.FD, serial
}

// leading makes a connection to a worker of a descriptor, which it takes over.
func leading(fd int) (*ipc.Conn, error) {
	conn, err := ipc.FromFD(fd)
	if err != nil {
		return nil, err
	}
	conn.RefuseFDs()
	if err := conn.PassPID(); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// Of says which supervisor left all this. It picks the stored snapshot of the version that is live.
func (in *Set) Of(st *state.State) {
	in.State = st
	if st == nil {
		return
	}
	in.How = ipc.RecordCrash
	if st.Left != "" {
		in.How = ipc.RecordRestart
	}
	if st.Live != nil {
		name := NameSnapshot(st.Live.SHA)
		if fd, ok := in.snapshots[name]; ok && in.Snapshot < 0 {
			in.Snapshot = fd
			delete(in.snapshots, name)
		}
	}
}

// Useless closes the stored snapshots that are not of the live version, and returns the names of all that may go.
func (in *Set) Useless() (names []string) {
	names = in.useless
	for name, fd := range in.snapshots {
		unix.Close(fd)
		names = append(names, name)
	}
	clear(in.snapshots)
	return names
}

// Listener takes out the socket for l: one that was stored under its id, or one at its address that a socket unit has given; -1 for none.
// foreign says that it is the socket of such a unit, which goes on listening whatever becomes of this instance.
func (in *Set) Listener(l ipc.Listener) (fd int, foreign bool) {
	if fd, ok := in.Listeners[l.ID]; ok {
		delete(in.Listeners, l.ID)
		return fd, in.State != nil && slices.Contains(in.State.Foreign, l.ID)
	}
	for i, fd := range in.Strangers {
		if socket.Bound(fd, l) {
			in.Strangers = append(in.Strangers[:i:i], in.Strangers[i+1:]...)
			return fd, true
		}
	}
	return noDescriptors, false
}
