package ipc

// ArenaGrow asks the supervisor for room for that many more counters, records and totals in the arena. It may make more of all.
type ArenaGrow struct {
	Counters int `json:"counters,omitempty"`
	Records  int `json:"records,omitempty"`
	Totals   int `json:"totals,omitempty"`
}

// ArenaGrown answers ArenaGrow: all workers have been told, before anything that is sent to them from now on.
type ArenaGrown struct {
	Parts   int `json:"parts"`   // further ones there are now
	Records int `json:"records"` // rows over all parts
}

// ArenaPart brings a further part of the arena to a worker or control, which may have it already. It is not answered: a worker that cannot
// map it counts by itself what is in there.
type ArenaPart struct {
	Index int  `json:"index"` // from 1 on
	FD    Slot `json:"fd"`
}
