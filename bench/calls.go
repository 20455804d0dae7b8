package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// calls are the rows that count nanoseconds per call.
func calls() []row {
	return []row{
		{"WPUQuerySocketHandleContext, 1 000 handles", "ns", queryContext(1000), atMost(3, "ns")},
		{"WPUQuerySocketHandleContext, 1 000 000 handles, random", "ns", queryContext(1_000_000), atMost(20, "ns")},
		{"one more pass-through layer, per call", "ns", passThrough, atMost(5, "ns")},
	}
}

// capture is a base provider that keeps what its start receives and then
// refuses, so that upcalls can be called without anything around them.
const capture = "bench-capture"

var captured struct {
	spi.UpcallTable
	dll spi.DLL
}

// startCapture fills captured from a thread's DLL.
func startCapture(th *ws2.Thread) error {
	if _, err := th.Socket(spi.AF_INET, spi.SOCK_RDM, 200); !errors.Is(err, spi.WSAEPROVIDERFAILEDINIT) {
		return fmt.Errorf("starting %s: %v", capture, err)
	}
	return nil
}

func init() {
	spi.Register(spi.Driver{
		Name:       capture,
		ProviderID: spi.MustParseGUID("6f3c9e0a-70d7-4a53-8b5e-0f3a7a4c1d01"),
		Protocols: func() []spi.ProtocolInfo {
			return []spi.ProtocolInfo{{
				AddressFamily: spi.AF_INET, SocketType: spi.SOCK_RDM, Protocol: 200,
				ProtocolChain: spi.ProtocolChain{ChainLen: spi.BaseProtocol},
			}}
		},
		Open: func(spi.Module) (spi.StartupFunc, error) {
			return func(_ uint16, _ *spi.WSPData, _ *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
				captured.UpcallTable, captured.dll = upcalls, dll
				return nil, spi.WSASYSNOTREADY
			}, nil
		},
	})
}

func started(c *catalog.Catalog) (*ws2.Thread, func(), error) {
	th := ws2.New(ws2.Config{Catalog: c, Log: func(string) {}}).Unbound()
	if err := th.WSAStartup(spi.Version22, &ws2.WSAData{}); err != nil {
		return nil, nil, err
	}
	return th, func() { _ = th.WSACleanup() }, nil
}

func queryContext(handles int) func() (side, side, func(), error) {
	return func() (side, side, func(), error) {
		c := catalog.Default()
		th, done, err := started(c)
		if err != nil {
			return nil, nil, nil, err
		}
		if err := startCapture(th); err != nil {
			return nil, nil, nil, err
		}
		id := c.Entries()[0].CatalogEntryID
		sockets := make([]spi.Socket, handles)
		for i := range sockets {
			s, errno := captured.WPUCreateSocketHandle(id, uintptr(i))
			if errno != 0 {
				return nil, nil, nil, errno
			}
			sockets[i] = s
		}
		rand.Shuffle(len(sockets), func(i, j int) { sockets[i], sockets[j] = sockets[j], sockets[i] })
		query := captured.WPUQuerySocketHandleContext
		subject := func(each time.Duration) (float64, error) {
			var sum uintptr
			return perCall(each, len(sockets), func() error {
				for _, s := range sockets {
					context, errno := query(s)
					if errno != 0 {
						return errno
					}
					sum += context
				}
				return nil
			})
		}
		return subject, nil, func() {
			for _, s := range sockets {
				captured.WPUCloseSocketHandle(s)
			}
			done()
		}, nil
	}
}

// depth is the number of layers that passThrough divides by.
const depth = 6

func passThrough() (side, side, func(), error) {
	var times [2]side
	var cleanups []func()
	for i, layers := range []int{0, depth} {
		c, err := catalog.Compose(catalog.Default(), "kernel", slices.Repeat([]catalog.Layer{passLayer}, layers))
		if err != nil {
			return nil, nil, nil, err
		}
		th, done, err := started(c)
		if err != nil {
			return nil, nil, nil, err
		}
		s, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
		if err != nil {
			return nil, nil, nil, err
		}
		cleanups = append(cleanups, func() { _ = th.CloseSocket(s); done() })
		value := make([]byte, 4)
		length := int32(4)
		times[i] = func(each time.Duration) (float64, error) {
			return perCall(each, 1000, func() error {
				for range 1000 {
					// An option that the provider answers by itself.
					if err := th.GetSockOpt(s, spi.SOL_SOCKET, spi.SO_TYPE, value, &length); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	subject := func(each time.Duration) (float64, error) {
		without, err := times[0](each / 2)
		if err != nil {
			return 0, err
		}
		with, err := times[1](each / 2)
		return (with - without) / depth, err
	}
	return subject, nil, func() {
		for _, f := range cleanups {
			f()
		}
	}, nil
}

// perCall runs batch, which makes n calls, for about the given time and
// returns nanoseconds per call.
func perCall(each time.Duration, n int, batch func() error) (float64, error) {
	batches := 0
	start := time.Now()
	for time.Since(start) < each || batches == 0 {
		if err := batch(); err != nil {
			return 0, err
		}
		batches++
	}
	return float64(time.Since(start).Nanoseconds()) / float64(batches*n), nil
}
