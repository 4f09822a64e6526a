package ipc

// HandoverRequest is the first message of a new supervisor to the old one, over the socket that tableflip carries.
type HandoverRequest struct {
	PID      int    `json:"pid"`
	Build    string `json:"build"`
	ProtoMin int    `json:"proto_min"`
	ProtoMax int    `json:"proto_max"`
}

// Handover answers HandoverRequest with everything the old supervisor holds; from then on it reads no worker's socket and
// sends nothing, unless the new one fails. Refused answers as well.
type Handover struct {
	State []byte `json:"state"` // what the state file holds

	Lock      Slot            `json:"lock"`            // of the run directory
	Control   Slot            `json:"control"`         // the listening control socket
	Admin     Slot            `json:"admin,omitempty"` // that of the admin interface; 0 from a build without one
	Arena     Slot            `json:"arena"`
	Parts     []Slot          `json:"parts,omitempty"`   // of the arena, as in Start
	Snapshot  Slot            `json:"snapshot"`          // of the live version; 0 without one
	Listeners map[string]Slot `json:"listeners"`         // by id
	Logs      map[string]Slot `json:"logs"`              // by id
	Workers   map[int]Slot    `json:"workers"`           // our ends of their control sockets, by serial
	Rescues   map[int]Slot    `json:"rescues"`           // their rescue sockets, likewise
	Secrets   Slot            `json:"secrets,omitempty"` // sealed memfd of package supervisor/secrets; 0 for none

	SecretsSerial int `json:"secrets_serial,omitempty"` // its number in the service manager's store; 0 for none
}
