// A small vector store on the real Go runtime, with the contract of `soak target`: the harness is tested against it.

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Exit codes; those of the harness.
const (
	exitPass     = 0
	exitUsage    = 2
	exitPlatform = 4
)

const usage = `Serve the vector store until interrupted.

soak-target-go [target] [--data-addr ADDR] [--meta-addr ADDR] [--http-addr ADDR] [--data-path DIR] [--misbehave KEY=VALUE]...
    [--until-stdin-closes]

GOGC, GOMEMLIMIT, LONGBOW_LISTEN_ADDR, LONGBOW_META_ADDR, LONGBOW_METRICS_ADDR, LONGBOW_HNSW_M, LONGBOW_HNSW_EF_CONSTRUCTION,
LONGBOW_COMPACTION_INTERVAL, LONGBOW_DATA_PATH and SOAK_TARGET_KEEP_GOGC are read from the environment.
`

// A client that takes longer than this to send its request head is cut off.
const headerDeadline = 10 * time.Second

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	config, err := parseConfig(os.Args[1:], os.Getenv)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		os.Exit(exitPass)
	}
	if err != nil {
		fail(exitUsage, err)
	}
	config.tune()
	if config.UntilStdinCloses {
		go untilStdinCloses()
	}
	addrs, err := serve(config)
	if err != nil {
		fail(exitPlatform, err)
	}
	fmt.Printf("data plane grpc://%s\nmeta plane grpc://%s\nHTTP       http://%s\n", addrs[0], addrs[1], addrs[2])
	<-ended
}

func fail(code int, err error) {
	fmt.Fprintf(os.Stderr, "error: %v\n", err)
	os.Exit(code)
}

func untilStdinCloses() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(exitPass)
}

// serve binds the three addresses, starts the store, and returns where it listens.
func serve(config Config) ([3]net.Addr, error) {
	var addrs [3]net.Addr
	var listeners [3]net.Listener
	planes := [3]struct {
		addr         *net.TCPAddr
		name, option string
	}{
		{config.DataAddr, "data plane", "--data-addr"},
		{config.MetaAddr, "meta plane", "--meta-addr"},
		{config.HTTPAddr, "HTTP plane", "--http-addr"},
	}
	for i, plane := range planes {
		network := "tcp"
		if plane.addr.IP.To4() != nil {
			network = "tcp4" // or 0.0.0.0 would be told as [::]
		}
		listener, err := net.ListenTCP(network, plane.addr)
		if err != nil {
			const text = "cannot listen on %v for the %s: %w; choose another with %s (port 0 takes a free one)"
			return addrs, fmt.Errorf(text, plane.addr, plane.name, err, plane.option)
		}
		listeners[i], addrs[i] = listener, listener.Addr()
	}
	store, err := newStore(config)
	if err != nil {
		return addrs, fmt.Errorf("cannot start the store: %w", err)
	}
	for i, listener := range listeners {
		listeners[i] = countedListener{listener, store.leaks}
	}
	go store.index()
	go store.leaks.run()
	if config.CompactionInterval > 0 {
		go store.compactPeriodically()
	}
	for _, listener := range listeners[:2] {
		go serveFlight(store, listener)
	}
	server := &http.Server{Handler: newHandler(store), ReadHeaderTimeout: headerDeadline}
	go func() { fail(exitPlatform, server.Serve(listeners[2])) }()
	return addrs, nil
}
