package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/catalog"
	"upcall.dev/launch"
	"upcall.dev/spi"
)

// relayed are the rows about bytes that pass through the host of upcall run, or
// through what people use in its place, and about what a connection costs there.
// The program is c/traffic.c, the server relayed_server.go; for requests relayed_http.go
// has both.
func relayed() (all []row) {
	goals := map[string]map[string]goal{
		"download": {"IFS chain": ratioAtLeast(0.98), "non-IFS chain": ratioAtLeast(0.6), "isolated": ratioAtLeast(0.35)},
		"upload":   {"IFS chain": ratioAtLeast(0.98), "non-IFS chain": ratioAtLeast(0.6), "isolated": ratioAtLeast(0.35)},
		"requests": {"IFS chain": ratioAtLeast(0.98), "non-IFS chain": ratioAtLeast(0.85)},
	}
	names := map[string]string{"download": "download", "upload": "upload", "requests": "HTTP requests × 64 kept alive"}
	for _, what := range []string{"download", "upload", "requests"} {
		for _, w := range ways {
			unit, measure := "MB/s", w.traffic(what)
			if what == "requests" {
				unit, measure = "/s", w.requests
			}
			g, ok := goals[what][w.name]
			if !ok {
				g = forInformation()
			}
			all = append(all, row{fmt.Sprintf("carried: %s, %s, against direct", names[what], w.name), unit, measure, g})
		}
	}
	return append(all,
		row{"carried: non-IFS chain, idle connections, host memory each", "KiB", memoryEach, atMost(40, "KiB")},
		row{"carried: non-IFS chain, connect and request beside idle connections", "ns", besideIdle("connect", hosted("shape")), ratioAtMost(1.15)},
		row{"carried: non-IFS chain, request beside idle connections", "ns", besideIdle("request", hosted("shape")), ratioAtMost(1.15)},
		row{"carried: IFS chain, connect and request beside idle connections", "ns", besideIdle("connect", hosted("trace", "file", "/dev/null")), ratioAtMost(1.15)},
	)
}

// hostVariable turns this program into upcall run.
const hostVariable = "UPCALL_BENCH_HOST" // ISOLATE [LAYER [KEY VALUE]...]

func hostMain() {
	words := strings.Fields(os.Getenv(hostVariable))
	if len(words) == 0 {
		return
	}
	_ = os.Unsetenv(hostVariable)
	var through []catalog.Layer
	if len(words) > 1 {
		through = []catalog.Layer{{Name: words[1], Options: spi.Options{}}}
	}
	for i := 2; i+1 < len(words); i += 2 {
		through[0].Options[words[i]] = words[i+1]
	}
	c, err := catalog.Compose(catalog.Default(), overKernel, through)
	status := launch.ExitLaunchFailed
	if err == nil {
		status, err = launch.Run(context.Background(), launch.Options{
			Catalog: c, Program: os.Args[1], Args: os.Args[2:], Isolate: words[0] == "true",
			Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}

// way is a way to a server.
type way struct {
	name string
	// open sets it up for a server at a port of 127.0.0.1, and returns how a program's
	// command line becomes one that goes this way.
	open func(port int) (command func(args ...string) *exec.Cmd, to endpoint, done func(), err error)
}

// endpoint is where the program connects.
type endpoint struct {
	address string
	port    int
}

var ways = []way{
	{"IFS chain", hosted("trace", "file", "/dev/null")},
	{"non-IFS chain", hosted("shape")},
	{"non-IFS chain (trace)", hosted("trace", "data", "on", "file", "/dev/null")},
	{"isolated", isolated},
	{"a relay in Go", goRelay},
	{"socat", socat},
	{"proxychains4", proxychains},
}

func plain(args ...string) *exec.Cmd { return exec.Command(args[0], args[1:]...) }

// hosted is upcall run with one layer.
func hosted(layer ...string) func(int) (func(...string) *exec.Cmd, endpoint, func(), error) {
	return func(port int) (func(...string) *exec.Cmd, endpoint, func(), error) {
		return underHost(false, layer...), endpoint{loopback, port}, func() {}, nil
	}
}

func isolated(port int) (func(...string) *exec.Cmd, endpoint, func(), error) {
	return underHost(true, "trace", "file", "/dev/null"), endpoint{"192.0.0.1", port}, func() {}, nil
}

const loopback = "127.0.0.1"

func underHost(isolate bool, layer ...string) func(args ...string) *exec.Cmd {
	return func(args ...string) *exec.Cmd {
		cmd := exec.Command("/proc/self/exe", args...)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%v %s", hostVariable, isolate, strings.Join(layer, " ")))
		return cmd
	}
}

// traffic measures a way against none.
func (w way) traffic(what string) func() (side, side, func(), error) {
	return func() (side, side, func(), error) {
		program, err := compiled.path("traffic")
		if err != nil {
			return nil, nil, nil, err
		}
		l, err := serveTraffic()
		if err != nil {
			return nil, nil, nil, err
		}
		command, to, done, err := w.open(l.port)
		if err != nil {
			l.close()
			return nil, nil, nil, err
		}
		run := func(command func(...string) *exec.Cmd, to endpoint) side {
			return func(each time.Duration) (float64, error) {
				cmd := command(program, what, to.address, strconv.Itoa(to.port), fmt.Sprint(each.Seconds()))
				cmd.Stderr = os.Stderr
				out, err := cmd.Output()
				if err != nil {
					return 0, err
				}
				return strconv.ParseFloat(string(bytes.TrimSpace(out)), 64)
			}
		}
		return run(command, to), run(plain, endpoint{loopback, l.port}), func() { done(); l.close() }, nil
	}
}

// idleConnections is how many are open in the rows about them, where descriptors
// allow it: the host has two for each.
const idleConnections = 20000

// idler starts traffic with so many idle connections.
func idler(l *trafficServer, open func(int) (func(...string) *exec.Cmd, endpoint, func(), error), connections int) (*process, error) {
	program, err := compiled.path("traffic")
	if err != nil {
		return nil, err
	}
	command, to, _, err := open(l.port)
	if err != nil {
		return nil, err
	}
	p, err := startProcess("traffic", command(program, "idle", to.address, strconv.Itoa(to.port)), anyProcessor)
	if err != nil {
		return nil, err
	}
	for connections > 0 { // in steps that do not try the process's patience
		step := min(connections, 1000)
		if _, err := p.figure("open", step); err != nil {
			p.stop()
			return nil, err
		}
		connections -= step
	}
	return p, nil
}

// figure sends a command and returns the answer.
func (p *process) figure(command string, n int) (float64, error) {
	if _, err := fmt.Fprintln(p.in, command, n); err != nil {
		return 0, err
	}
	line, err := p.answer()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(line, 64)
}

// mostIdle is how many connections can be idle here.
func mostIdle() int { return min(idleConnections, (descriptorLimit()-100)/2) }

// memoryEach measures what the host's memory grows by with idle connections, each
// of which has carried a request.
func memoryEach() (side, side, func(), error) {
	l, err := serveTraffic()
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := idler(l, hosted("shape"), 100)
	if err != nil {
		l.close()
		return nil, nil, nil, err
	}
	before, err := resident(p.cmd.Process.Pid)
	n := mostIdle() - 100
	for left := n; err == nil && left > 0; left -= min(left, 1000) {
		_, err = p.figure("open", min(left, 1000))
	}
	if err != nil {
		p.stop()
		l.close()
		return nil, nil, nil, err
	}
	subject := func(time.Duration) (float64, error) {
		after, err := resident(p.cmd.Process.Pid)
		return float64(after-before) / 1024 / float64(n), err
	}
	return subject, nil, func() { p.stop(); l.close() }, nil
}

// resident is a process's memory in use, in bytes.
func resident(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	var size, pages int
	_, err = fmt.Sscan(string(text), &size, &pages)
	return pages * os.Getpagesize(), err
}

// besideIdle measures a command of traffic in a program with many idle connections
// against the same in one without.
func besideIdle(command string, open func(int) (func(...string) *exec.Cmd, endpoint, func(), error)) func() (side, side, func(), error) {
	return func() (side, side, func(), error) {
		l, err := serveTraffic()
		if err != nil {
			return nil, nil, nil, err
		}
		many, err := idler(l, open, mostIdle())
		if err != nil {
			l.close()
			return nil, nil, nil, err
		}
		few, err := idler(l, open, 0)
		if err != nil {
			many.stop()
			l.close()
			return nil, nil, nil, err
		}
		run := func(p *process) side {
			return func(time.Duration) (float64, error) { return p.figure(command, 300) }
		}
		return run(many), run(few), func() { many.stop(); few.stop(); l.close() }, nil
	}
}

// descriptorLimit is how many descriptors a process may have, raised as far as the
// system allows.
func descriptorLimit() int {
	limit := unix.Rlimit{Cur: 3 * idleConnections, Max: 3 * idleConnections}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		return 3 * idleConnections
	}
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	limit.Cur = limit.Max
	_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	return int(limit.Max)
}
