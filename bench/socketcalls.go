package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// socketCalls are the rows of what a program's own socket calls cost under upcall
// run and under what else sends programs through a proxy. The programs are in C,
// so that what their language's library does is not measured.
func socketCalls() []row {
	const name = "upcall run, "
	return []row{
		{name + "IFS chain, connect, median, against direct", "µs", calling("connect", underTrace, alone), addsAtMost(60, "µs")},
		{name + "kernel alone, connect, median, against direct", "µs", calling("connect", under(), alone), addsAtMost(60, "µs")},
		{name + "non-IFS chain, connect, median, against direct", "µs", calling("connect", under("shape"), alone), forInformation()},
		{name + "IFS chain, connects in C, against direct", "/s", calling("connections", underTrace, alone), forInformation()},
		{name + "IFS chain, connect, median, 20 000 open, against none", "µs", amongOpen(20_000, underTrace), ratioAtMost(1.25)},
		{name + "IFS chain, accepts, against direct", "/s", accepting(underTrace, alone), forInformation()},
		{name + "IFS chain, datagram and echo, median, against direct", "µs", calling("datagram", underTrace, alone), forInformation()},
		{name + "SOCKS, connect, median, against proxychains4", "µs", calling("connect", underSOCKS, underProxychains), ratioAtMost(1)},
		{name + "SOCKS, connect, median, against torsocks", "µs", calling("connect", underSOCKS, underTorsocks), ratioAtMost(1)},
		{name + "SOCKS, connect, median, against direct", "µs", calling("connect", underSOCKS, alone), forInformation()},
	}
}

// environment is what the sides of a row have in common: the peer that their
// programs talk to, and a proxy if one of them wants it.
type environment struct {
	host  string
	peer  *process
	port  string // of the peer
	proxy string // host:port, "" before the first wants it
	stops []func()
}

// newEnvironment starts a peer at an own address.
func newEnvironment() (*environment, error) {
	host := ownAddress()
	return environmentWith(host, host, 1)
}

// environmentWith starts a peer of so many processes that listens at an address, and
// which programs reach at host.
func environmentWith(host, at string, processes int) (*environment, error) {
	e := &environment{host: host}
	path, err := compiled.path("peer")
	if err != nil {
		return nil, err
	}
	if e.peer, err = startProcess("the peer", exec.Command(path, at, strconv.Itoa(processes)), anyProcessor); err != nil {
		return nil, err
	}
	e.stops = append(e.stops, e.peer.stop)
	if e.port, err = e.peer.answer(); err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

func (e *environment) stop() {
	for i := range e.stops {
		e.stops[len(e.stops)-1-i]()
	}
}

// ownAddress returns an address of this machine that is not of its loopback, for
// torsocks connects to those by itself; failing that 127.0.0.1.
func ownAddress() string {
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return loopback
}

// runner is how a program is run: with upcall, or with what it is compared with.
type runner func(e *environment, program string, args ...string) (*exec.Cmd, error)

func alone(_ *environment, program string, args ...string) (*exec.Cmd, error) {
	return exec.Command(program, args...), nil
}

// under runs programs under upcall run, through a layer; none for the kernel's
// provider alone.
func under(layer ...string) runner {
	return func(_ *environment, program string, args ...string) (*exec.Cmd, error) {
		return underHost(false, layer...)(append([]string{program}, args...)...), nil
	}
}

var underTrace = under("trace", "file", "/dev/null")

func underSOCKS(e *environment, program string, args ...string) (*exec.Cmd, error) {
	if err := e.startProxy(); err != nil {
		return nil, err
	}
	return under("socks", "proxy", e.proxy)(e, program, args...)
}

func underProxychains(e *environment, program string, args ...string) (*exec.Cmd, error) {
	path, err := exec.LookPath("proxychains4")
	if err != nil {
		return nil, absent("proxychains4 is not installed (Debian: proxychains4)")
	}
	if err := e.startProxy(); err != nil {
		return nil, err
	}
	file, err := e.configuration("strict_chain\n[ProxyList]\nsocks5 " + strings.Replace(e.proxy, ":", " ", 1) + "\n")
	if err != nil {
		return nil, err
	}
	return exec.Command(path, append([]string{"-q", "-f", file, program}, args...)...), nil
}

func underTorsocks(e *environment, program string, args ...string) (*exec.Cmd, error) {
	path, err := exec.LookPath("torsocks")
	if err != nil {
		return nil, absent("torsocks is not installed (Debian: torsocks)")
	}
	if ip := net.ParseIP(e.host); ip.IsLoopback() {
		return nil, absent("torsocks refuses loopback, and this machine has no other address")
	}
	if err := e.startProxy(); err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(e.proxy)
	file, err := e.configuration("TorAddress " + host + "\nTorPort " + port + "\n")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, append([]string{program}, args...)...)
	cmd.Env = append(os.Environ(), "TORSOCKS_CONF_FILE="+file)
	return cmd, nil
}

// configuration writes a file that lasts as long as the environment.
func (e *environment) configuration(text string) (string, error) {
	dir, err := os.MkdirTemp("", "upcall-bench-")
	if err != nil {
		return "", err
	}
	e.stops = append(e.stops, func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "configuration")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// startProxy starts the SOCKS proxy that all sides share.
func (e *environment) startProxy() error {
	if e.proxy != "" {
		return nil
	}
	path, err := exec.LookPath("microsocks")
	if err != nil {
		return absent("microsocks is not installed (Debian: microsocks)")
	}
	l, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		return err
	}
	address := l.Addr().String()
	_ = l.Close() // microsocks cannot choose a port
	host, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(path, "-i", host, "-p", port)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("microsocks: %w", err)
	}
	e.stops = append(e.stops, func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			e.proxy = address
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("microsocks does not answer: %w", err)
		}
	}
}

// start starts one of the bench's C programs in a way.
func (e *environment) start(w runner, name string, args ...string) (*process, error) {
	path, err := compiled.path(name)
	if err != nil {
		return nil, err
	}
	cmd, err := w(e, path, args...)
	if err != nil {
		return nil, err
	}
	p, err := startProcess(name, cmd, anyProcessor)
	if err == nil {
		e.stops = append(e.stops, p.stop)
	}
	return p, err
}

// measures makes a process a side.
func (p *process) measures(each time.Duration) (float64, error) {
	if _, err := fmt.Fprintln(p.in, each.Milliseconds()); err != nil {
		return 0, fmt.Errorf("%s: %w", p.name, err)
	}
	line, err := p.answer()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(line, 64)
}

// calling compares what client.c's calls cost in two ways.
func calling(what string, subject, comparator runner) func() (side, side, func(), error) {
	return func() (side, side, func(), error) {
		e, err := newEnvironment()
		if err != nil {
			return nil, nil, nil, err
		}
		var sides []side
		for _, w := range []runner{subject, comparator} {
			p, err := e.start(w, "client", what, e.host, e.port)
			if err != nil {
				e.stop()
				return nil, nil, nil, err
			}
			sides = append(sides, p.measures)
		}
		return sides[0], sides[1], e.stop, nil
	}
}

// amongOpen compares connects beside so many open connections with connects
// beside none.
func amongOpen(open int, w runner) func() (side, side, func(), error) {
	return func() (side, side, func(), error) {
		const processes = 8                                       // of the peer, each of which may have some thousand descriptors
		e, err := environmentWith(loopback, "0.0.0.0", processes) // what is open has other addresses of the loopback
		if err != nil {
			return nil, nil, nil, err
		}
		var sides []side
		for _, n := range []int{open, 0} {
			p, err := e.start(w, "client", "connect", e.host, e.port, strconv.Itoa(n))
			if err != nil {
				e.stop()
				return nil, nil, nil, err
			}
			sides = append(sides, p.measures)
		}
		return sides[0], sides[1], e.stop, nil
	}
}

// accepting compares how fast a server accepts in two ways; its clients run
// alone.
func accepting(subject, comparator runner) func() (side, side, func(), error) {
	return func() (side, side, func(), error) {
		e, err := newEnvironment()
		if err != nil {
			return nil, nil, nil, err
		}
		var sides []side
		for _, w := range []runner{subject, comparator} {
			s, err := e.acceptor(w)
			if err != nil {
				e.stop()
				return nil, nil, nil, err
			}
			sides = append(sides, s)
		}
		return sides[0], sides[1], e.stop, nil
	}
}

// clientsOfAcceptor keep an acceptor busy. Between two rounds they wait for it.
const clientsOfAcceptor = 4

// acceptor starts a server, and clients that connect to it one after the other
// until they are killed.
func (e *environment) acceptor(w runner) (side, error) {
	client, err := compiled.path("client")
	if err != nil {
		return nil, err
	}
	server, err := e.start(w, "acceptor")
	if err != nil {
		return nil, err
	}
	port, err := server.answer()
	if err != nil {
		return nil, err
	}
	for range clientsOfAcceptor {
		cmd := exec.Command(client, "accepted", loopback, port)
		cmd.Stdin = strings.NewReader(fmt.Sprintln(time.Hour.Milliseconds()))
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		e.stops = append(e.stops, func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	return server.measures, nil
}
