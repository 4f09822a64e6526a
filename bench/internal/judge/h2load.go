package judge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// H2load runs h2load and looks at the proxy's CPU when the load that counts begins and when it ends.
func H2load(ctx context.Context, w Work) (Figures, error) {
	args, err := w.h2loadArgs()
	if err != nil {
		return Figures{}, err
	}
	cmd := w.pinned(ctx, args)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return Figures{}, err
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return Figures{}, err
	}
	r := watch(out, w)
	if err := cmd.Wait(); err != nil {
		return Figures{}, fmt.Errorf("h2load %s: %w: %s%s", strings.Join(args, " "), err, stderr.String(), tail(r.text.String()))
	}
	return r.figures(w)
}

func (w Work) h2loadArgs() ([]string, error) {
	args := []string{"-c", strconv.Itoa(w.Conns), "-m", strconv.Itoa(w.Streams), "-H", "User-Agent: h2load/bench"}
	if !w.H2 {
		args = append(args, "--h1")
	}
	if w.Body > 0 {
		body := filepath.Join(w.Dir, "body")
		if err := writeZeros(body, int64(w.Body)); err != nil {
			return nil, err
		}
		args = append(args, "-d", body)
	}
	if w.Total > 0 {
		args = append(args, "-n", strconv.Itoa(w.Total))
	} else {
		args = append(args, "-D", milliseconds(w.Counted), "--warm-up-time", milliseconds(w.Warmup))
	}
	scheme := "http"
	if w.TLS {
		scheme = "https"
	}
	return append(args, scheme+"://"+w.Address+w.Path), nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }

func writeZeros(path string, n int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(n), f.Close())
}

// running is what h2load said, and the proxy's CPU in the part that counts.
type running struct {
	text       strings.Builder
	begin, end time.Time
	from, to   time.Duration // CPU
	ended      bool
}

// watch reads to the end. A number of requests counts from the start, a time from when h2load says so.
func watch(out io.Reader, w Work) *running {
	r := &running{begin: time.Now(), from: CPUOf(w.PIDs)}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "Main benchmark duration is started"):
			r.begin, r.from = time.Now(), CPUOf(w.PIDs)
		case strings.HasPrefix(line, "Main benchmark duration is over"), w.Total > 0 && strings.HasPrefix(line, "finished in"):
			r.end, r.to, r.ended = time.Now(), CPUOf(w.PIDs), true
		}
		fmt.Fprintln(&r.text, line)
	}
	return r
}

// figures of a run in which every answer was a good one, of the right version and size.
func (r *running) figures(w Work) (Figures, error) {
	text := r.text.String()
	done, ok := numbers(text, `requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`)
	codes, found := numbers(text, `status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx`)
	data, sized := numbers(text, `traffic: .* \((\d+)\) data`)
	if !ok || !found || !sized || !r.ended {
		return Figures{}, errors.New("h2load told nothing: " + tail(text))
	}
	switch {
	case w.TLS && !strings.Contains(text, "TLS Protocol: TLSv1.3"):
		return Figures{}, errors.New("not TLS 1.3")
	case w.TLS && w.H2 && !strings.Contains(text, "Application protocol: h2"):
		return Figures{}, errors.New("not HTTP/2")
	case done[1]+done[2]+done[3] > 0 || codes[0]+codes[1]+codes[2] > 0:
		return Figures{}, fmt.Errorf("%.0f failed, %.0f errored, %.0f timed out, %.0f status 3xx, %.0f 4xx, %.0f 5xx", done[1], done[2], done[3],
			codes[0], codes[1], codes[2])
	case done[0] == 0 || w.Total > 0 && int(done[0]) != w.Total:
		return Figures{}, fmt.Errorf("%.0f requests were answered, %d expected (0: any number)", done[0], w.Total)
	case data[0] < 0.9*done[0]*float64(w.Length): // what was under way at the end is counted on one side only
		return Figures{}, errors.New("answers are too short")
	}
	return newFigures(int64(done[0]), r.to-r.from, r.end.Sub(r.begin)), nil
}

// numbers are the groups of a pattern's first match.
func numbers(text, pattern string) ([]float64, bool) {
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		return nil, false
	}
	var list []float64
	for _, s := range m[1:] {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, false
		}
		list = append(list, v)
	}
	return list, true
}
