package eventstream

import "testing"

func TestBetweenEvents(t *testing.T) {
	for text, want := range map[string]bool{
		"":                          true,
		"data: x":                   false,
		"data: x\n":                 false,
		"data: x\n\n":               true,
		"data: x\r\n":               false,
		"data: x\r\n\r\n":           true,
		"data: x\r\n\r":             true, // the LF that may follow changes nothing
		"data: x\r":                 false,
		"data: x\r\r":               true,
		"data: x\n\r":               true,
		"data: x\n\nevent: y\n":     false,
		"data: x\n\n: comment\n\n":  true,
		"data: x\n\n\n":             true,
		"data: x\n\ndata: y\ndata:": false,
	} {
		for piece := 1; piece <= max(1, len(text)); piece++ {
			tr := Begin()
			for at := 0; at < len(text); at += piece {
				tr.Feed([]byte(text[at:min(at+piece, len(text))]))
			}
			if tr.Between() != want || !tr.Known() {
				t.Errorf("%q in pieces of %d: %t, want %t", text, piece, tr.Between(), want)
			}
		}
	}
}

func TestNothingIsKnownOfWhatIsNotFollowed(t *testing.T) {
	var tr Tracker
	if tr.Known() || tr.Between() {
		t.Errorf("%+v", tr)
	}
}
