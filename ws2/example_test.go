package ws2_test

import (
	"fmt"
	"net/netip"

	"upcall.dev/catalog"
	_ "upcall.dev/provider/memory"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// A server and a client within the process, over the memory provider.
func Example() {
	installed, err := catalog.Compose(catalog.Default(), "memory", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	dll := ws2.New(ws2.Config{Catalog: installed})
	thread := dll.BindThread()
	defer thread.Unbind()
	if err := thread.WSAStartup(spi.Version22, new(ws2.WSAData)); err != nil {
		fmt.Println(err)
		return
	}
	defer thread.WSACleanup()

	listener, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	if err != nil {
		fmt.Println(err)
		return
	}
	name := spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:0"))
	length := int32(len(name))
	for _, err := range []error{
		thread.Bind(listener, name),
		thread.Listen(listener, spi.SOMAXCONN),
		thread.GetSockName(listener, name, &length), // with the port
	} {
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	client, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	if err == nil {
		err = thread.Connect(client, name)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := thread.Accept(listener, nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := thread.Send(client, []byte("hello"), 0); err != nil {
		fmt.Println(err)
		return
	}
	b := make([]byte, 16)
	n, err := thread.Recv(server, b, 0)
	fmt.Printf("%s %v\n", b[:n], err)
	for _, s := range []spi.Socket{client, server, listener} {
		if err := thread.CloseSocket(s); err != nil {
			fmt.Println(err)
		}
	}
	// Output: hello <nil>
}

// A failed call says what happened by its error and by the last error.
func ExampleThread_WSAGetLastError() {
	dll := ws2.New(ws2.Config{Catalog: catalog.New()})
	thread := dll.BindThread()
	defer thread.Unbind()
	_, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
	fmt.Println(err)
	fmt.Println(thread.WSAGetLastError().Name())
	// Output:
	// WSAStartup has not been called (WSANOTINITIALISED 10093)
	// WSANOTINITIALISED
}

// A completion port takes the packets of overlapped operations, and one's own.
func ExampleDLL_CreateIoCompletionPort() {
	dll := ws2.New(ws2.Config{Catalog: catalog.New()})
	port, err := dll.CreateIoCompletionPort(0)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := dll.PostQueuedCompletionStatus(port, ws2.Packet{Transferred: 5, Key: 7}); err != nil {
		fmt.Println(err)
	}
	packet, err := dll.Unbound().GetQueuedCompletionStatus(port, spi.WSA_INFINITE)
	fmt.Println(packet.Transferred, packet.Key, err)
	fmt.Println(dll.CloseCompletionPort(port))
	// Output:
	// 5 7 <nil>
	// <nil>
}
