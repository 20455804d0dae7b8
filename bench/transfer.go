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
		client, server, err := pair(stack)
		if err != nil {
			return nil, nil, nil, err
		}
		plainClient, plainServer, err := pair(plainNet{})
		if err != nil {
			return nil, nil, nil, err
		}
		return run(client, server), run(plainClient, plainServer), func() {
			for _, c := range []io.Closer{client, server, plainClient, plainServer, stack} {
				_ = c.Close()
			}
		}, nil
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
