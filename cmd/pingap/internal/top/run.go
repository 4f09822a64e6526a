package top

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"pingap/control/recent"
)

const (
	pollTime = 100                    // ms, after which the reader of keys sees that it is to end
	enter    = "\x1b[?1049h\x1b[?25l" // another screen, no cursor
	leave    = "\x1b[?25h\x1b[?1049l"
	home     = "\x1b[H"
	below    = "\x1b[J" // erase from here on
)

// Options of Run.
type Options struct {
	// Tty is the terminal.
	Tty *os.File
	// Lives are drawn as they come; Problems say why none do, empty that it is over.
	Lives    <-chan *recent.Live
	Problems <-chan string
	// Resized has something whenever the terminal has another size.
	Resized <-chan os.Signal
	// View is the one to begin with.
	View string
}

// IsTerminal says whether a file is one.
func IsTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Run shows what is going on until ctx ends or the user does.
func Run(ctx context.Context, o Options) error {
	before, err := raw(o.Tty)
	if err != nil {
		return err
	}
	defer func() { _ = unix.IoctlSetTermios(int(o.Tty.Fd()), unix.TCSETS, before) }() // there is nothing else to try
	if _, err := io.WriteString(o.Tty, enter); err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	defer func() { _, _ = io.WriteString(o.Tty, leave) }() // likewise
	ctx, cancel := context.WithCancel(ctx)
	keys := make(chan rune)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { readKeys(ctx, o.Tty, keys) }) // ends with ctx, or the terminal
	return show(ctx, o, keys)
}

// show draws.
func show(ctx context.Context, o Options, keys <-chan rune) error {
	s := newScreen(o.View)
	live, shown := &recent.Live{}, &recent.Live{}
	for {
		if !s.paused {
			shown = live
		}
		s.width, s.height = sizeOf(o.Tty)
		if err := draw(o.Tty, s.frame(shown)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case live = <-o.Lives:
			s.problem = ""
		case s.problem = <-o.Problems:
		case <-o.Resized:
		case key, open := <-keys:
			if !open || s.press(key) {
				return nil
			}
		}
	}
}

func newScreen(view string) *screen {
	s := &screen{}
	for i, name := range Views() {
		s.sort[i] = usualSort(name)
		if name == view {
			s.view = i
		}
	}
	return s
}

// draw writes all lines at once, each over the one that was there.
func draw(w io.Writer, lines []string) error {
	if _, err := io.WriteString(w, home+strings.Join(lines, erase+"\r\n")+erase+below); err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	return nil
}

// raw has keys come as they are pressed.
func raw(tty *os.File) (before *unix.Termios, err error) {
	before, err = unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	now := *before
	now.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG | unix.IEXTEN
	now.Iflag &^= unix.IXON | unix.ICRNL
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, &now); err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	return before, nil
}

// sizeOf is the size of a terminal; one that does not say has the usual.
func sizeOf(tty *os.File) (width, height int) {
	size, err := unix.IoctlGetWinsize(int(tty.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 || size.Row == 0 {
		return 80, 24
	}
	return int(size.Col), int(size.Row)
}

// readKeys reads the terminal. It waits by polling, as a read could not be ended.
func readKeys(ctx context.Context, tty *os.File, keys chan<- rune) {
	defer close(keys)
	buf := make([]byte, 256)
	for ctx.Err() == nil {
		fds := []unix.PollFd{{Fd: int32(tty.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, pollTime)
		if errors.Is(err, unix.EINTR) || err == nil && n == 0 {
			continue
		}
		if err != nil {
			return
		}
		if n, err = unix.Read(int(tty.Fd()), buf); err != nil || n <= 0 {
			return // the terminal is gone
		}
		for _, key := range keysOf(buf[:n]) {
			select {
			case keys <- key:
			case <-ctx.Done():
				return
			}
		}
	}
}
