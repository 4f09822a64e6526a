package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pingap/ipc"
	"pingap/supervisor/ledger"
)

// format changes when an older or newer build could misread the file. Fields may be added without.
const format = 1

// Name of the file in the run directory.
const Name = "supervisor.json"

// maxBytes bounds the file: 1,024 listeners and logs each take some 200 bytes.
const maxBytes = 8 << 20

// ErrStale is the error of a file that does not concern this boot of the machine or this build.
var ErrStale = errors.New("not of this boot, or in a format that this build does not read")

// State is the content of the file.
type State struct {
	Format    int    `json:"format"`
	Boot      string `json:"boot"`  // kernel's id of this boot
	Build     string `json:"build"` // of the supervisor that wrote it
	PID       int    `json:"pid"`
	Epoch     uint32 `json:"epoch"`
	LiveBuild string `json:"live_build"`     // that made the live version
	Left      string `json:"left,omitempty"` // why it ended on purpose and left the workers; empty after a crash
	By        string `json:"by,omitempty"`   // who asked for that

	Applies    uint64   `json:"applies"`    // number of the last version
	Generation int      `json:"generation"` // that is live
	Last       int      `json:"last"`       // highest generation there has been
	Serial     int      `json:"serial"`     // of the last worker
	Slots      int      `json:"slots"`
	Live       *Version `json:"live,omitempty"`
	Workers    []Worker `json:"workers,omitempty"`

	Foreign []string        `json:"foreign,omitempty"` // ids of listeners that are a socket unit's
	Control *ipc.Credential `json:"control,omitempty"` // whom control runs as
	Ledger  []ipc.Record    `json:"ledger,omitempty"`
	Record  uint64          `json:"record"` // number of the last
	Sums    *ledger.Sums    `json:"sums,omitempty"`
}

// Version is the live one, as far as the supervisor knows it.
type Version struct {
	Number    uint64          `json:"number"`
	SHA       string          `json:"sha"`
	Settings  ipc.Settings    `json:"settings"`
	RunAs     *ipc.Credential `json:"run_as,omitempty"`
	Listeners []ipc.Listener  `json:"listeners"`
	Logs      []ipc.LogTarget `json:"logs"`
	EnvNames  []string        `json:"env_names,omitempty"`
	EnvHash   string          `json:"env_hash,omitempty"` // of their values
}

// Worker is a process that had been started and not reaped.
type Worker struct {
	Serial     int    `json:"serial"`
	Slot       int    `json:"slot"`
	Generation int    `json:"generation"`
	PID        int    `json:"pid"`
	Column     int    `json:"column"` // of the arena
	Build      string `json:"build"`
	Draining   bool   `json:"draining,omitempty"`
	Record     uint64 `json:"record,omitempty"` // of the ledger, that counts its end
	Restarts   int    `json:"restarts,omitempty"`
}

// Read returns the state in a run directory; os.ErrNotExist without one.
func Read(dir string) (*State, error) {
	data, err := os.ReadFile(filepath.Join(dir, Name))
	if err != nil {
		return nil, err
	}
	return Decode(data)
}

// Decode reads what Encode wrote, in this boot.
func Decode(data []byte) (*State, error) {
	s := &State{}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("state: %d bytes, at most %d", len(data), maxBytes)
	}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	if s.Format != format || s.Boot != bootID() {
		return nil, fmt.Errorf("state: %w", ErrStale)
	}
	return s, nil
}

// Encode sets format and boot, and returns what Decode reads.
func (s *State) Encode() ([]byte, error) {
	s.Format, s.Boot = format, bootID()
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	return data, nil
}

// Write replaces the file in one step. It is not synced: it need not outlive the kernel.
func (s *State) Write(dir string) error {
	data, err := s.Encode()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, Name)
	err = os.WriteFile(path+".tmp", data, 0o600)
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		os.Remove(path + ".tmp")
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// Remove is for an instance that ends and leaves nothing.
func Remove(dir string) { os.Remove(filepath.Join(dir, Name)) }

// bootID is empty where the kernel does not tell: then a state counts as of this boot, and pids are checked anyway.
func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}
