package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the flags; each mode uses some.
type options struct {
	addr     string        // the proxy, or where to listen
	upstream string        // of the reverse proxy
	conns    int           // at once
	length   int           // bytes of body that every answer must have
	seconds  time.Duration // counted load
	warmup   time.Duration // load before it
	resume   bool          // handshakes use the ticket of an earlier one
	h2       bool          // idle connections speak HTTP/2
	pids     []int         // the proxy's processes
	hold     time.Duration // rest of idle connections before memory is looked at
	log      string        // access log of the reverse proxy
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("handshakes, idle, grpc, sink or reverse?")
	}
	if args[0] == "version" {
		_, err := fmt.Fprintln(out, "net/http of", runtime.Version())
		return err
	}
	o, err := parse(args[1:])
	if err != nil {
		return err
	}
	var figures any
	switch args[0] {
	case "handshakes":
		figures, err = handshakes(ctx, o)
	case "idle":
		figures, err = idle(ctx, o)
	case "grpc":
		return serveGRPC(ctx, o)
	case "sink":
		return sink(ctx, o)
	case "reverse":
		return serveReverse(ctx, o)
	default:
		err = fmt.Errorf("unknown mode %q", args[0])
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(figures)
}

func parse(args []string) (options, error) {
	var o options
	var pids string
	fs := flag.NewFlagSet("peer", flag.ContinueOnError)
	fs.StringVar(&o.addr, "addr", "", "the proxy, or where to listen")
	fs.StringVar(&o.upstream, "upstream", "", "of the reverse proxy")
	fs.StringVar(&pids, "pids", "", "the proxy's processes, comma list")
	fs.StringVar(&o.log, "log", "", "access log of the reverse proxy")
	fs.IntVar(&o.conns, "conns", 1, "connections at once")
	fs.IntVar(&o.length, "length", 0, "bytes of every answer")
	fs.DurationVar(&o.seconds, "seconds", time.Second, "counted load")
	fs.DurationVar(&o.warmup, "warmup", 0, "load before it")
	fs.DurationVar(&o.hold, "hold", 5*time.Second, "rest of idle connections")
	fs.BoolVar(&o.resume, "resume", false, "resume sessions")
	fs.BoolVar(&o.h2, "h2", false, "idle connections speak HTTP/2")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if o.addr == "" || fs.NArg() > 0 || o.conns < 1 {
		return o, errors.New("-addr and a number of connections are needed")
	}
	for text := range strings.SplitSeq(pids, ",") {
		if text == "" {
			continue
		}
		pid, err := strconv.Atoi(text)
		if err != nil {
			return o, err
		}
		o.pids = append(o.pids, pid)
	}
	return o, nil
}
