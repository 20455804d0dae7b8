package standard_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// The base providers take odd arguments alike.
func TestAlike(t *testing.T) {
	for _, base := range []string{"kernel", "memory"} {
		t.Run(base, func(t *testing.T) {
			c, err := catalog.Compose(catalog.Default(), base, nil)
			if err != nil {
				t.Fatal(err)
			}
			th := ws2.New(ws2.Config{Catalog: c}).Unbound()
			if err := th.WSAStartup(spi.Version22, new(ws2.WSAData)); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = th.WSACleanup() }()
			client, server := connected(t, th)
			buffersWithoutMemory(t, th, client, server)
			smallBuffers(t, th, client)
		})
	}
}

func connected(t *testing.T, th *ws2.Thread) (client, server spi.Socket) {
	t.Helper()
	var sockets [2]spi.Socket
	for i := range sockets {
		s, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
		if err != nil {
			t.Fatal(err)
		}
		sockets[i] = s
	}
	name := spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:0"))
	length := int32(len(name))
	if err := th.Bind(sockets[0], name); err != nil {
		t.Fatal(err)
	}
	if err := th.Listen(sockets[0], 1); err != nil {
		t.Fatal(err)
	}
	if err := th.GetSockName(sockets[0], name, &length); err != nil {
		t.Fatal(err)
	}
	if err := th.Connect(sockets[1], name); err != nil {
		t.Fatal(err)
	}
	server, err := th.Accept(sockets[0], nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sockets[1], server
}

// A buffer with a length and no address is WSAEFAULT, in its place among others
// too, and nothing of a send goes out.
func buffersWithoutMemory(t *testing.T, th *ws2.Thread, client, server spi.Socket) {
	t.Helper()
	none, some := spi.Buf{Len: 5}, spi.NewBuf(make([]byte, 5))
	var n uint32
	if err := th.WSASend(client, []spi.Buf{none}, &n, 0, nil, nil); ws2.CodeOf(err) != spi.WSAEFAULT {
		t.Errorf("a send of memory that is not there: %v", err)
	}
	if _, err := th.Send(client, []byte("hello"), 0); err != nil {
		t.Fatal(err)
	}
	var flags uint32
	if err := th.WSARecv(server, []spi.Buf{none}, &n, &flags, nil, nil); ws2.CodeOf(err) != spi.WSAEFAULT {
		t.Errorf("a receive into memory that is not there: %v", err)
	}
	if err := th.WSARecv(server, []spi.Buf{{}, some}, &n, &flags, nil, nil); err != nil || n != 5 || string(some.Bytes()) != "hello" {
		t.Errorf("a receive after that, into an empty buffer and another: %d bytes %q, %v", n, some.Bytes(), err)
	}
}

// A buffer of one byte becomes one that a connection can work with.
func smallBuffers(t *testing.T, th *ws2.Thread, s spi.Socket) {
	t.Helper()
	for _, name := range []int32{spi.SO_RCVBUF, spi.SO_SNDBUF} {
		if err := th.SetSockOpt(s, spi.SOL_SOCKET, name, []byte{1, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
		value, length := make([]byte, 4), int32(4)
		if err := th.GetSockOpt(s, spi.SOL_SOCKET, name, value, &length); err != nil {
			t.Fatal(err)
		}
		if size := binary.LittleEndian.Uint32(value); size < 1024 || size > 8192 {
			t.Errorf("option %#x is %d after it was set to 1", name, size)
		}
	}
}
