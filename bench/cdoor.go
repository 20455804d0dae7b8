package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// cDoor are the rows of programs and of a provider written in C, against others
// in C that do without Upcall. Calls that never wait are counted in processor
// time of their thread, since another program may want the processor meanwhile.
func cDoor() []row {
	of := func(what string) string { return "C: " + what }
	list := []row{
		{of("a call that enters Go, looks a handle up and returns"), "ns", figures("calls", "entry"), atMost(70, "ns")},
		{of("WPUQuerySocketHandleContext"), "ns", figures("calls", "query"), atMost(20, "ns")},
		{of("the same in two threads at once, against one"), "ns", figures("calls", "query-two", "calls", "query"), ratioAtMost(1.1)},
		{of("WPUSetEvent, WPUResetEvent"), "ns", figures("calls", "table-event"), atMost(60, "ns")},
		{of("WSASetEvent, WSAResetEvent"), "ns", figures("calls", "event"), atMost(60, "ns")},
		{of("wait-any of 64, the last signalled, against POSIX threads"), "ns", figures("calls", "wait", "pthreadwait", ""), ratioAtMost(0.1)},
		{of("send, 64 B, against Linux"), "ns", blocking("send"), ratioAtMost(1.2)},
		{of("round trip, 64 B, against Linux"), "ns", blocking("roundtrip"), ratioAtMost(1.2)},
		{of("send, 256 KiB, against Linux"), "ns", blocking("large"), ratioAtMost(1.03)},
	}
	for _, connections := range []int{64, 1000} {
		list = append(list,
			row{of(fmt.Sprintf("port echo, 64 B × %d, against epoll", connections)), "/s",
				echo(messages, "portc", "epoll", 64, connections, connections), ratioAtLeast(0.95)},
			row{of(fmt.Sprintf("port echo, 64 B × %d, CPU, against epoll", connections)), "ns",
				echo(processor, "portc", "epoll", 64, connections, connections), forInformation()},
		)
	}
	return list
}

// cDoorEnvironment is the environment of programs of Winsock: their catalog is
// the kernel's provider, and c/provider.c for sockets that nothing else has.
func cDoorEnvironment() ([]string, error) {
	provider, err := compiled.path("provider")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(filepath.Dir(provider), "catalog.toml")
	base, err := catalog.Compose(catalog.Default(), overKernel, nil)
	if err != nil {
		return nil, err
	}
	err = catalog.OpenFile(path).Update(func(c *catalog.Catalog) error {
		*c = *base.Clone()
		return c.InstallProvider(spi.MustParseGUID("6f3c9e0a-70d7-4a53-8b5e-0f3a7a4c1d02"), provider, []spi.ProtocolInfo{{
			AddressFamily: spi.AF_INET, SocketType: spi.SOCK_RDM, Protocol: 201, Version: 2,
			ProtocolChain: spi.ProtocolChain{ChainLen: spi.BaseProtocol},
		}}).Err()
	})
	return append(os.Environ(), "UPCALL_CATALOG="+path), err
}

// run starts the C program of that name.
func run(name string, processor int, args ...string) (*process, error) {
	path, err := compiled.path(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	if _, ok := winsock[name]; ok {
		if cmd.Env, err = cDoorEnvironment(); err != nil {
			return nil, err
		}
	}
	return startProcess(name, cmd, processor)
}

// measuring is a side that has the process measure.
func measuring(p *process) side {
	return func(each time.Duration) (float64, error) {
		if _, err := fmt.Fprintln(p.in, each.Milliseconds()); err != nil {
			return 0, err
		}
		line, err := p.answer()
		if err != nil {
			return 0, err
		}
		return strconv.ParseFloat(line, 64)
	}
}

// figures compares programs, given as names and arguments, that measure by
// themselves; one is compared with nothing.
func figures(programs ...string) func() (side, side, func(), error) {
	return func() (side, side, func(), error) {
		var sides [2]side
		var running []*process
		done := func() {
			for _, p := range running {
				p.stop()
			}
		}
		for i := 0; i < len(programs); i += 2 {
			p, err := run(programs[i], anyProcessor, programs[i+1])
			if err != nil {
				done()
				return nil, nil, nil, err
			}
			running = append(running, p)
			sides[i/2] = measuring(p)
		}
		return sides[0], sides[1], done, nil
	}
}

// blocking compares blocking.c over Winsock with the same over Linux. The peer
// of what only sends is the same for both, a program of Linux; a round trip is
// between two of a kind.
func blocking(what string) func() (side, side, func(), error) {
	return func() (side, side, func(), error) {
		var sides []side
		var running []*process
		done := func() {
			for i := len(running) - 1; i >= 0; i-- {
				running[i].stop()
			}
		}
		start := func(name string) error {
			kind := "blocking"
			if what == "roundtrip" {
				kind = name
			}
			peer, err := run(kind, forLoad, "peer")
			if err != nil {
				return err
			}
			running = append(running, peer)
			port, err := peer.answer()
			if err != nil {
				return err
			}
			client, err := run(name, forServer, port, what)
			if err != nil {
				return err
			}
			running = append(running, client)
			sides = append(sides, measuring(client))
			return nil
		}
		for _, name := range []string{"blockingwinsock", "blocking"} {
			if err := start(name); err != nil {
				done()
				return nil, nil, nil, err
			}
		}
		return sides[0], sides[1], done, nil
	}
}
