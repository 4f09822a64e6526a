package supervisor

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/ledger"
)

// Limits of a proposal.
const (
	maxListeners = 1024
	maxLogs      = 1024
	maxSHA       = 128 // bytes
)

// version is one configuration as far as the supervisor knows it.
type version struct {
	number    uint64
	sha       string
	snapshot  int // sealed memfd
	env       map[string]string
	names     []string // of the variables it names, set or not
	settings  ipc.Settings
	runAs     *ipc.Credential // whom workers run as, nil for the supervisor's own user
	listeners []ipc.Listener  // each id once, without descriptors
	logs      []ipc.LogTarget // each id once, without descriptors
}

func (v *version) close() { unix.Close(v.snapshot) }

// proposal is a Propose that waits for its verdict. It owns the snapshot until a version takes it.
type proposal struct {
	request
	*ipc.Propose
	snapshot int
	env      map[string]string // the variables it names
	again    bool              // no new configuration: fresh workers for the live one
	others   []request         // who wants the same
	record   *ledger.Entry     // its entry in the ledger, once it has begun
}

// verdict answers all that asked.
func (p *proposal) verdict(s *supervisor, body ipc.Body) {
	p.answer(s, body)
	for _, r := range p.others {
		r.answer(s, body)
	}
}

func (p *proposal) close() {
	if p.snapshot >= 0 {
		unix.Close(p.snapshot)
		p.snapshot = -1
	}
}

// complete checks what control sent, sets the ids, and takes the snapshot out of the message.
func (p *proposal) complete(m *ipc.Message) error {
	if p.SHA == "" || len(p.SHA) > maxSHA || len(p.Listeners) > maxListeners || len(p.Logs) > maxLogs {
		return fmt.Errorf("sha of %d bytes, %d listeners, %d logs", len(p.SHA), len(p.Listeners), len(p.Logs))
	}
	if err := completeIDs(p.Propose); err != nil {
		return err
	}
	fd, err := m.Take(p.Propose.Snapshot)
	if err != nil {
		return err
	}
	p.snapshot = fd
	return nil
}

// completeIDs sets the ids, which are ours to compute, and drops log targets that several servers share.
func completeIDs(b *ipc.Propose) error {
	seen := map[string]bool{}
	for i := range b.Listeners {
		l := &b.Listeners[i]
		l.ID, l.FD = ipc.ListenerID(*l), 0
		if seen[l.ID] {
			return errors.New("listener " + clip(l.Address) + " is wanted twice")
		}
		seen[l.ID] = true
	}
	var logs []ipc.LogTarget
	for _, t := range b.Logs {
		t.ID, t.FD = ipc.LogTargetID(t), 0
		if !seen[t.ID] {
			seen[t.ID] = true
			logs = append(logs, t)
		}
	}
	b.Logs = logs
	return nil
}

// version takes the snapshot over.
func (p *proposal) version(number uint64) *version {
	v := &version{
		number: number, sha: p.SHA, snapshot: p.snapshot, env: p.env, names: p.Env,
		settings: p.Settings, listeners: p.Listeners, logs: p.Logs,
	}
	p.snapshot = -1
	return v
}

// candidate is what a worker of a slot is started on: the version under way where the slot was made for it, otherwise the live
// one.
func (s *supervisor) candidate(sl *slot) *version {
	if s.op.has(sl) {
		return s.op.next
	}
	return s.live
}

// logsOf returns the open files of a version, and the application log.
func (s *supervisor) logsOf(v *version) []*logFile {
	var files []*logFile
	if f := s.logs[ipc.IDAppLog]; f != nil {
		files = append(files, f)
	}
	for _, t := range v.logs {
		files = append(files, s.logs[t.ID])
	}
	return files
}

// request is a message of control that wants an answer.
type request struct {
	from *child
	txn  uint32
}

// answer sends the verdict if whoever asked still lives. A nil request wants none.
func (r *request) answer(s *supervisor, body ipc.Body) {
	if r == nil || r.from == nil {
		return
	}
	if _, alive := s.children[r.from]; alive && r.from.dying == "" {
		s.send(r.from, r.txn, body)
	}
}

func (s *supervisor) nextTxn() uint32 {
	s.txn++
	return s.txn
}
