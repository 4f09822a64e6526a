package top

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"pingap/control/recent"
)

// Keys that are no characters.
const (
	keyUp rune = -1 - iota
	keyDown
	keyPageUp
	keyPageDown
	keyEscape
	keyBackspace
	keyEnter
	keyTab
	keyInterrupt
)

// keysOf reads what a terminal sent. Sequences that mean nothing here are left out.
func keysOf(input []byte) (keys []rune) {
	for len(input) > 0 {
		if input[0] == 0x1b && len(input) > 1 && (input[1] == '[' || input[1] == 'O') {
			end := 2
			for end < len(input) && (input[end] < 0x40 || input[end] > 0x7e) {
				end++
			}
			end = min(end+1, len(input))
			if key, ok := sequence(input[2:end]); ok {
				keys = append(keys, key)
			}
			input = input[end:]
			continue
		}
		r, n := utf8.DecodeRune(input)
		input = input[n:]
		if key, ok := single(r); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

func sequence(end []byte) (rune, bool) {
	for _, c := range []struct {
		text string
		key  rune
	}{{"A", keyUp}, {"B", keyDown}, {"5~", keyPageUp}, {"6~", keyPageDown}} {
		if bytes.Equal(end, []byte(c.text)) {
			return c.key, true
		}
	}
	return 0, false
}

func single(r rune) (rune, bool) {
	switch r {
	case 0x1b:
		return keyEscape, true
	case 0x7f, 0x08:
		return keyBackspace, true
	case '\r', '\n':
		return keyEnter, true
	case '\t':
		return keyTab, true
	case 0x03, 0x04: // Ctrl-C, Ctrl-D
		return keyInterrupt, true
	}
	return r, r >= ' ' && r != utf8.RuneError
}

// maxFilter bounds what is typed.
const maxFilter = 64

// press acts on a key; true ends it all.
func (s *screen) press(key rune) (quit bool) {
	if key == keyInterrupt {
		return true
	}
	if s.typing {
		s.typed(key)
		return false
	}
	page := max(s.height-6, 1)
	switch key {
	case 'q', 'Q':
		return true
	case '1', '2', '3', '4':
		s.view, s.from = int(key-'1'), 0
	case keyTab:
		s.view, s.from = (s.view+1)%len(Views()), 0
	case 's':
		s.sort[s.view] = (s.sort[s.view] + 1) % len(tableOf(Views()[s.view], &recent.Live{}).names)
	case 'r':
		s.reverse = !s.reverse
	case 'p', ' ':
		s.paused = !s.paused
	case 'h', '?':
		s.help = !s.help
	case '/':
		s.typing, s.filter = true, ""
	case keyEscape:
		s.filter, s.help = "", false
	case keyUp, 'k':
		s.from--
	case keyDown, 'j':
		s.from++
	case keyPageUp:
		s.from -= page
	case keyPageDown:
		s.from += page
	}
	return false
}

// typed is a key while the filter is typed.
func (s *screen) typed(key rune) {
	letters := []rune(s.filter)
	switch {
	case key == keyEnter:
		s.typing = false
	case key == keyEscape:
		s.typing, s.filter = false, ""
	case key == keyBackspace && len(letters) > 0:
		s.filter = string(slices.Delete(letters, len(letters)-1, len(letters)))
	case key >= ' ' && len(letters) < maxFilter:
		s.filter += string(key)
	}
	s.from = 0
}
