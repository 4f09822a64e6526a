package ipc

import (
	"reflect"
	"strconv"
)

// Type names a message on the wire. Numbers are never reused: 1-31 both ways, 32-95 supervisor to
// worker, 96-159 worker to supervisor, 160-223 control and supervisor, 224-255 client and control,
// 256-287 supervisor and supervisor, 288-319 worker and the maker of pictures. 37 and 38 were listeners by messages of their own.
type Type uint16

// The message types; doc.go says who sends each to whom and what answers it.
const (
	TypeUnknown       Type = 1
	TypeHello         Type = 2
	TypeReady         Type = 3
	TypeStop          Type = 4
	TypeStatusRequest Type = 5
	TypeLogFDs        Type = 6
	TypeLogsTaken     Type = 7
	TypeState         Type = 8
	TypeStateTaken    Type = 9
	TypeAnnounce      Type = 10
	TypeAnnounced     Type = 11
	TypeExplain       Type = 14
	TypeExplained     Type = 15

	TypeStart       Type = 32
	TypeActivate    Type = 33
	TypePrepare     Type = 34
	TypeCommit      Type = 35
	TypeAbort       Type = 36
	TypeDrain       Type = 39
	TypeDrainFaster Type = 40
	TypeResync      Type = 41
	TypeMetricsPull Type = 42
	TypeLogLevel    Type = 43
	TypeDump        Type = 44
	TypeTicketKeys  Type = 45
	TypeArenaPart   Type = 46

	TypeActive    Type = 96
	TypePrepared  Type = 97
	TypeNack      Type = 98
	TypeCommitted Type = 99
	TypeAborted   Type = 100
	TypeStatus    Type = 101
	TypeDraining  Type = 102
	TypeGone      Type = 103
	TypeMetrics   Type = 104
	TypeOrphan    Type = 105

	TypeControlStart   Type = 160
	TypePropose        Type = 161
	TypeApplied        Type = 162
	TypeRefused        Type = 163
	TypeStatusAll      Type = 164
	TypeReload         Type = 165
	TypeReopen         Type = 166
	TypeReopened       Type = 167
	TypeStopping       Type = 168
	TypeRoll           Type = 169
	TypeUpgrade        Type = 170
	TypeUpgraded       Type = 171
	TypeHistoryRequest Type = 172
	TypeHistory        Type = 173
	TypeArenaGrow      Type = 174
	TypeArenaGrown     Type = 175
	TypeStateRequest   Type = 180
	TypeRecorded       Type = 182

	TypeConfigRead Type = 224
	TypeConfigPart Type = 225
	TypeRollback   Type = 226

	TypeUpstreamAdmin   Type = 227
	TypeUpstreamChanged Type = 228

	TypeHandoverRequest Type = 256
	TypeHandover        Type = 257

	TypePicture     Type = 288
	TypePictureMade Type = 289
)

// Body is the content of a message: one struct per type, JSON on the wire. Adding a field is
// compatible both ways; changing or removing one needs a new Type.
type Body interface{ Type() Type }

// known maps each type to its struct. It is never written after initialisation.
var known = index(Unknown{}, Hello{}, Ready{}, Stop{}, StatusRequest{}, LogFDs{}, LogsTaken{},
	Start{}, Activate{}, Prepare{}, Commit{}, Abort{}, Drain{}, DrainFaster{},
	Resync{}, MetricsPull{}, LogLevel{}, Dump{},
	Active{}, Prepared{}, Nack{}, Committed{}, Aborted{}, Status{}, Draining{}, Gone{}, Metrics{}, Orphan{},
	ControlStart{}, Propose{}, Applied{}, Refused{}, StatusAll{}, Reload{}, Reopen{}, Reopened{}, Stopping{},
	Roll{}, Upgrade{}, Upgraded{}, HistoryRequest{}, History{}, Recorded{}, HandoverRequest{}, Handover{},
	ConfigRead{}, ConfigPart{}, Rollback{}, State{}, StateTaken{}, TicketKeys{},
	ArenaGrow{}, ArenaGrown{}, ArenaPart{}, StateRequest{}, UpstreamAdmin{}, UpstreamChanged{},
	Announce{}, Announced{}, Explain{}, Explained{}, Picture{}, PictureMade{})

func index(all ...Body) map[Type]reflect.Type {
	m := make(map[Type]reflect.Type, len(all))
	for _, b := range all {
		m[b.Type()] = reflect.TypeOf(b)
	}
	return m
}

// newBody returns a pointer to an empty body to decode into, nil for a type this build does not know.
func newBody(t Type) Body {
	rt, ok := known[t]
	if !ok {
		return nil
	}
	return reflect.New(rt).Interface().(Body)
}

// String gives the name in the message table, or the number of a type this build does not know.
func (t Type) String() string {
	if rt, ok := known[t]; ok {
		return rt.Name()
	}
	return "type " + strconv.Itoa(int(t))
}
