package main

import (
	"io"
	"net"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/wsnet"
)

// transfers are the rows that move bytes between two goroutines.
func transfers() []row {
	return []row{
		{"wsnet over kernel, 256 KiB writes, against net", "MB/s", against(throughput, overKernel), ratioAtLeast(0.95)},
		{"wsnet over kernel, 64 B round trips, against net", "/s", against(roundTrips, overKernel), ratioAtLeast(0.9)},
		{"wsnet over trace, 64 B round trips, against net", "/s", against(roundTrips, overKernel, "trace"), forInformation()},
		{"wsnet over shape, 256 KiB writes, against net", "MB/s", against(throughput, overKernel, "shape"), forInformation()},
		{"memory provider, 64 B round trips, against TCP loopback", "/s", against(roundTrips, "memory"), ratioAtLeast(10)},
		{"memory provider, 256 KiB writes, against TCP loopback", "MB/s", against(throughput, "memory"), forInformation()},
	}
}

const overKernel = "kernel"

// network is what both package net and wsnet can do.
type network interface {
	Listen(network, address string) (net.Listener, error)
	Dial(network, address string) (net.Conn, error)
}

type plainNet struct{}

func (plainNet) Listen(network, address string) (net.Listener, error) {
	return net.Listen(network, address)
}
func (plainNet) Dial(network, address string) (net.Conn, error) { return net.Dial(network, address) }

// against compares package net with wsnet over a chain, the same way in both.
func against(run func(client, server net.Conn) side, base string, layers ...string) func() (side, side, func(), error) {
	return func() (side, side, func(), error) {
		var through []catalog.Layer
		for _, name := range layers {
			l := catalog.Layer{Name: name}
			if name == "trace" {
				l.Options = map[string]string{"file": "/dev/null"}
			}
			through = append(through, l)
		}
		c, err := catalog.Compose(catalog.Default(), base, through)
		if err != nil {
			return nil, nil, nil, err
		}
		stack, err := wsnet.Open(wsnet.Config{Catalog: c})
		if err != nil {
			return nil, nil, nil, err
		}
		var open []io.Closer
		var chains, plains []side
		for range connections {
			for _, n := range []network{stack, plainNet{}} {
				client, server, err := pair(n)
				if err != nil {
					return nil, nil, nil, err
				}
				open = append(open, client, server)
				if n == stack {
					chains = append(chains, run(client, server))
				} else {
					plains = append(plains, run(client, server))
				}
			}
		}
		return inTurn(chains), inTurn(plains), func() {
			for _, c := range append(open, stack) {
				_ = c.Close()
			}
		}, nil
	}
}

// connections is how many connections each side has: how fast one is depends on
// the window that TCP happened to settle on.
const connections = 6

// inTurn gives each side an equal part of the time, and returns their mean.
func inTurn(sides []side) side {
	return func(each time.Duration) (float64, error) {
		sum := 0.0
		for _, s := range sides {
			figure, err := s(each / time.Duration(len(sides)))
			if err != nil {
				return 0, err
			}
			sum += figure
		}
		return sum / float64(len(sides)), nil
	}
}

func pair(n network) (client, server net.Conn, err error) {
	l, err := n.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	accepted := make(chan error, 1)
	go func() {
		var err error
		server, err = l.Accept()
		accepted <- err
	}()
	client, err = n.Dial("tcp", l.Addr().String())
	if acceptErr := <-accepted; err == nil {
		err = acceptErr
	}
	return client, server, err
}

// roundTrips counts 64-byte messages that come back, per second.
func roundTrips(client, server net.Conn) side {
	go func() {
		buf := make([]byte, 64)
		for {
			if _, err := io.ReadFull(server, buf); err != nil {
				return
			}
			if _, err := server.Write(buf); err != nil {
				return
			}
		}
	}()
	return func(each time.Duration) (float64, error) {
		buf := make([]byte, 64)
		start, n := time.Now(), 0
		for time.Since(start) < each {
			for range 50 {
				if _, err := client.Write(buf); err != nil {
					return 0, err
				}
				if _, err := io.ReadFull(client, buf); err != nil {
					return 0, err
				}
				n++
			}
		}
		return float64(n) / time.Since(start).Seconds(), nil
	}
}

// throughput counts bytes that reach the other side, in MB per second.
func throughput(client, server net.Conn) side {
	const block, blocks = 256 << 10, 64
	received := make(chan error, 1)
	turn := make(chan struct{})
	go func() {
		buf := make([]byte, block)
		for range turn {
			_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(struct{ io.Reader }{server}, block*blocks), buf)
			received <- err
		}
	}()
	return func(each time.Duration) (float64, error) {
		buf := make([]byte, block)
		start, n := time.Now(), 0
		for time.Since(start) < each {
			turn <- struct{}{}
			for range blocks {
				if _, err := client.Write(buf); err != nil {
					return 0, err
				}
			}
			if err := <-received; err != nil {
				return 0, err
			}
			n += block * blocks
		}
		return float64(n) / 1e6 / time.Since(start).Seconds(), nil
	}
}
