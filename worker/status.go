package worker

import (
	"runtime"
	"time"

	"pingap/ipc"
	"pingap/plugins"
	"pingap/worker/process"
	"pingap/worker/proxy"
)

// status is what the supervisor is told. Heartbeats are not counted as connections and requests.
func (w *worker) status(message string) ipc.Status {
	s := w.proxy.Stats()
	active := max(0, s.InFlight-s.Tunnels)
	return ipc.Status{
		State: w.state, SHA: w.live.sha, Version: w.live.Version, Message: message,
		Connections: map[string]int64{
			"active": active, "tunnel": s.Tunnels, "parked": s.Parked,
			"idle": max(0, s.Connections-active-s.Tunnels-s.Parked),
		},
		Accepted: uint64(max(0, w.gate.Accepted()-w.beats.Load())), Requests: w.requests(s), InFlight: s.InFlight,
		RSS: process.Resident(), Goroutines: runtime.NumGoroutine(), FDs: process.OpenFiles(),
		Uptime: time.Since(w.began), LogDropped: w.logs.lost() + w.appLog.Lost(),
	}
}

// figures are what plugins are told of this worker; any goroutine.
func (w *worker) figures() plugins.Figures {
	s := w.proxy.Stats()
	return plugins.Figures{Version: w.o.Version, Accepted: w.requests(s) + uint64(max(0, s.InFlight)), Processing: s.InFlight}
}

func (w *worker) requests(s proxy.Stats) uint64 {
	return s.Requests - min(s.Requests, uint64(w.beats.Load()))
}
