package server

import (
	"testing"

	"pingap/message"
	"pingap/worker/http2/frame"
)

func setting(id frame.SettingID, v uint32) []byte {
	return frame.AppendSettings(nil, frame.Setting{ID: id, Value: v})
}

func TestAWindowOpenedBySettingsLetsDataGo(t *testing.T) {
	k := newClient(t, Options{}, func(s *Stream, _ *message.Request) { answer(s, 200, "hello") })
	k.start(frame.Setting{ID: frame.InitialWindowSize, Value: 0})
	k.feed(k.request(nil, 1, "GET", "/"))
	k.expect("HEADERS 1")
	k.feed(setting(frame.InitialWindowSize, 1))
	k.expect("SETTINGS")
	k.expect("DATA 1 1 bytes")
}
