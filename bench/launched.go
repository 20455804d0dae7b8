package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/launch"
)

// launched are the rows that run a program under upcall run.
func launched() []row {
	return slices.Concat([]row{
		{"upcall run, IFS chain, new connections, against direct", "/s", underUpcall("trace"), ratioAtLeast(0.6)},
		{"upcall run, non-IFS chain, new connections, against direct", "/s", underUpcall("shape"), forInformation()},
	}, socketCalls())
}

// clientVariable turns this program into the one that is measured.
const clientVariable = "UPCALL_BENCH_CLIENT" // ADDRESS DURATION

func clientMain() {
	var address, each string
	if n, _ := fmt.Sscan(os.Getenv(clientVariable), &address, &each); n != 2 {
		return
	}
	duration, err := time.ParseDuration(each)
	if err == nil {
		var figure float64
		figure, err = newConnections(address, duration)
		fmt.Println(figure)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// newConnections connects, reads one byte and resets, one connection after another.
func newConnections(address string, each time.Duration) (perSecond float64, err error) {
	start, n := time.Now(), 0
	for time.Since(start) < each {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return 0, err
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			return 0, err
		}
		// Reset instead of leaving a port in TIME_WAIT.
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
		n++
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// serve sends a byte to every connection, and waits for its end.
func serve() (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				one := make([]byte, 1)
				if _, err := conn.Write(one); err == nil {
					_, _ = conn.Read(one)
				}
			}()
		}
	}()
	return l, nil
}

func underUpcall(layerName string) func() (side, side, func(), error) {
	return func() (side, side, func(), error) {
		l, err := serve()
		if err != nil {
			return nil, nil, nil, err
		}
		through := catalog.Layer{Name: layerName}
		if layerName == "trace" {
			through.Options = map[string]string{"file": "/dev/null"}
		}
		c, err := catalog.Compose(catalog.Default(), "kernel", []catalog.Layer{through})
		if err != nil {
			return nil, nil, nil, err
		}
		self, err := os.Executable()
		if err != nil {
			return nil, nil, nil, err
		}
		env := func(each time.Duration) []string {
			return append(os.Environ(), fmt.Sprintf("%s=%s %s", clientVariable, l.Addr(), each))
		}
		subject := func(each time.Duration) (float64, error) {
			r, w, err := os.Pipe()
			if err != nil {
				return 0, err
			}
			defer r.Close()
			status, err := launch.Run(context.Background(), launch.Options{
				Catalog: c, Program: self, Env: env(each), Stdout: w, Stderr: os.Stderr,
			})
			_ = w.Close()
			if err != nil || status != 0 {
				return 0, fmt.Errorf("status %d: %w", status, err)
			}
			out, err := io.ReadAll(r)
			if err != nil {
				return 0, err
			}
			return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		}
		direct := func(each time.Duration) (float64, error) {
			cmd := exec.Command(self)
			cmd.Env, cmd.Stderr = env(each), os.Stderr
			out, err := cmd.Output()
			if err != nil {
				return 0, err
			}
			return strconv.ParseFloat(string(bytes.TrimSpace(out)), 64)
		}
		return subject, direct, func() { _ = l.Close() }, nil
	}
}
