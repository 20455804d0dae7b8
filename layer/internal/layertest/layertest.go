// Package layertest runs layers through the real DLL over real base providers,
// for the tests of the layers.
package layertest

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"

	_ "upcall.dev/provider/kernel" // the base providers to run over
	_ "upcall.dev/provider/memory"
)

// Bases are the base providers to test over.
var Bases = []string{"kernel", "memory"}

// Start returns a started DLL with chains of the layers in through, outermost
// first, over a base driver. It is cleaned up with the test.
func Start(t testing.TB, over string, through ...catalog.Layer) (*ws2.DLL, *ws2.Thread) {
	t.Helper()
	c, err := catalog.Compose(catalog.Default(), over, through)
	if err != nil {
		t.Fatal(err)
	}
	return StartWith(t, c)
}

// StartWith is Start with a catalog of one's own.
func StartWith(t testing.TB, c *catalog.Catalog) (*ws2.DLL, *ws2.Thread) {
	t.Helper()
	var mu sync.Mutex // guards over
	over := false
	dll := ws2.New(ws2.Config{Catalog: c, Log: func(message string) {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			t.Log(message)
		}
	}})
	thread := dll.Unbound()
	if err := thread.WSAStartup(spi.Version22, new(ws2.WSAData)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for thread.WSACleanup() == nil {
		}
		mu.Lock()
		defer mu.Unlock()
		over = true
	})
	return dll, thread
}

// Loopback is 127.0.0.1 with a port that the provider chooses.
func Loopback() []byte { return spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:0")) }

// Name returns a socket's own address.
func Name(t testing.TB, thread *ws2.Thread, s spi.Socket) []byte {
	t.Helper()
	name, length := make([]byte, spi.SizeofSockaddrStorage), int32(spi.SizeofSockaddrStorage)
	if err := thread.GetSockName(s, name, &length); err != nil {
		t.Fatal(err)
	}
	return name[:length]
}

// Listen returns a listening stream socket and its address.
func Listen(t testing.TB, thread *ws2.Thread) (spi.Socket, []byte) {
	t.Helper()
	l := Socket(t, thread, spi.SOCK_STREAM)
	if err := thread.Bind(l, Loopback()); err != nil {
		t.Fatal(err)
	}
	if err := thread.Listen(l, spi.SOMAXCONN); err != nil {
		t.Fatal(err)
	}
	return l, Name(t, thread, l)
}

// Socket returns an IPv4 socket of a type.
func Socket(t testing.TB, thread *ws2.Thread, typ int32) spi.Socket {
	t.Helper()
	s, err := thread.Socket(spi.AF_INET, typ, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Pair returns the two ends of a connected stream.
func Pair(t testing.TB, thread *ws2.Thread) (client, server spi.Socket) {
	t.Helper()
	l, address := Listen(t, thread)
	client = Socket(t, thread, spi.SOCK_STREAM)
	if err := thread.Connect(client, address); err != nil {
		t.Fatal(err)
	}
	server, err := thread.Accept(l, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := thread.CloseSocket(l); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// Info returns the catalog entry that a socket says it has.
func Info(t testing.TB, thread *ws2.Thread, s spi.Socket) spi.ProtocolInfo {
	t.Helper()
	val, length := make([]byte, 628), int32(628)
	if err := thread.GetSockOpt(s, spi.SOL_SOCKET, spi.SO_PROTOCOL_INFOW, val, &length); err != nil {
		t.Fatal(err)
	}
	var info spi.ProtocolInfo
	if _, err := binary.Decode(val, binary.NativeEndian, &info); err != nil {
		t.Fatal(err)
	}
	return info
}
