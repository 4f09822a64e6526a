package proxy

import (
	"strconv"

	"pingap/message"
	"pingap/plugins"
)

// pluginTime is what the steps of a plugin took, in ns.
type pluginTime struct {
	instance *plugins.Instance
	took     int64
}

// stopwatch returns the time where Server-Timing is wanted, else 0: nobody looks at the clock then.
func (s *session) stopwatch() int64 {
	if !s.server.ServerTiming {
		return 0
	}
	return max(message.Now(), 1)
}

// spent adds what a step of a plugin has taken since begin.
func (s *session) spent(i *plugins.Instance, begin int64) {
	if begin == 0 {
		return
	}
	took := message.Now() - begin
	for n := range s.times {
		if s.times[n].instance == i {
			s.times[n].took += took
			return
		}
	}
	s.times = append(s.times, pluginTime{i, took})
}

// msOf is a time in ms; 0 for what did not happen.
func msOf(ns int64) int64 { return max(ns, 0) / 1e6 }

// addServerTiming adds the Server-Timing field (W3C Server Timing) with what is known so far, in ms. What there was not is left out.
func (s *session) addServerTiming(now int64) {
	ex := &s.ex
	v := s.resp.work[0][:0]
	if ex.UpstreamAttempts > 0 {
		connect, processing := msOf(ex.UpstreamConnect), msOf(ex.UpstreamProcessing)
		v = appendTiming(v, "upstream.connect", connect)
		v = appendTiming(v, "upstream.processing", processing)
		v = appendPositive(v, "upstream", connect+processing)
	}
	if ex.CacheLookup != message.Unset {
		v = appendTiming(v, "cache.lookup", msOf(ex.CacheLookup))
	}
	if ex.CacheLock != message.Unset {
		v = appendTiming(v, "cache.lock", msOf(ex.CacheLock))
	}
	v = appendPositive(v, "cache", msOf(ex.CacheLookup)+msOf(ex.CacheLock))
	v = s.appendPluginTimes(v)
	v = appendTiming(v, "total", msOf(now-ex.Start))
	s.resp.work[0] = v
	ex.Response.Fields.Set("Server-Timing", v)
}

func (s *session) appendPluginTimes(v []byte) []byte {
	sum := int64(0)
	for _, t := range s.times {
		ms := msOf(t.took)
		if ms == 0 {
			continue
		}
		sum += ms
		v = appendEntry(v)
		v = append(v, "plugin."...)
		for _, b := range []byte(t.instance.Name) { // "pingap:stats" is no token
			if one := [1]byte{b}; !message.ValidToken(one[:]) {
				b = '_'
			}
			v = append(v, b)
		}
		v = appendDuration(v, ms)
	}
	return appendPositive(v, "plugin", sum)
}

func appendEntry(v []byte) []byte {
	if len(v) == 0 {
		return v
	}
	return append(v, ", "...)
}

func appendDuration(v []byte, ms int64) []byte {
	return strconv.AppendInt(append(v, ";dur="...), ms, 10)
}

func appendTiming(v []byte, name string, ms int64) []byte {
	return appendDuration(append(appendEntry(v), name...), ms)
}

func appendPositive(v []byte, name string, ms int64) []byte {
	if ms <= 0 {
		return v
	}
	return appendTiming(v, name, ms)
}
