package judge

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const echoProto = `syntax = "proto3";
package bench;
message Text { string text = 1; }
service Echo { rpc Say (Text) returns (Text); }
`

// GHZ calls a unary method again and again. Opening the connections is part of it: a hundredth.
func GHZ(ctx context.Context, w Work) (Figures, error) {
	proto := filepath.Join(w.Dir, "echo.proto")
	if err := os.WriteFile(proto, []byte(echoProto), 0o644); err != nil {
		return Figures{}, err
	}
	cmd := w.pinned(ctx, []string{"--insecure", "--proto", proto, "--call", "bench.Echo/Say", "-d", `{"text":"` + strings.Repeat("g", 64) + `"}`,
		"--connections", strconv.Itoa(w.Conns), "-c", strconv.Itoa(w.Conns * w.Streams), "-z", w.Counted.String(), "--duration-stop", "wait",
		"-O", "json", w.Address})
	var stderr strings.Builder
	cmd.Stderr = &stderr
	cpu := CPUOf(w.PIDs)
	out, err := cmd.Output()
	cpu = CPUOf(w.PIDs) - cpu
	if err != nil {
		return Figures{}, fmt.Errorf("ghz: %w: %s", err, tail(stderr.String()))
	}
	var said struct {
		Count  int64            `json:"count"`
		Total  int64            `json:"total"` // ns
		Status map[string]int64 `json:"statusCodeDistribution"`
	}
	switch err := json.Unmarshal(out, &said); {
	case err != nil:
		return Figures{}, fmt.Errorf("ghz printed %q: %w", tail(string(out)), err)
	case said.Count == 0 || said.Status["OK"] != said.Count:
		return Figures{}, fmt.Errorf("ghz: %d calls, of these %v", said.Count, said.Status)
	}
	return newFigures(said.Count, cpu, time.Duration(said.Total)), nil
}
