package nonifs_test

import (
	"errors"
	"fmt"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// Overlapped operations on a completion port pass through two layers that have
// handles of their own. The layers' part runs on the thread that takes the
// packet.
func ExampleLayer() {
	through := []catalog.Layer{{Name: "passage"}, {Name: "passage"}} // a Layer each, which changes nothing
	c, err := catalog.Compose(catalog.Default(), "memory", through)
	if err != nil {
		fmt.Println(err)
		return
	}
	dll := ws2.New(ws2.Config{Catalog: c})
	thread := dll.BindThread()
	defer thread.Unbind()
	if err := thread.WSAStartup(spi.Version22, new(ws2.WSAData)); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = thread.WSACleanup() }()
	client, server, err := connected(thread)
	if err != nil {
		fmt.Println(err)
		return
	}

	port, err := dll.CreateIoCompletionPort(1)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = dll.CloseCompletionPort(port) }()
	if err := dll.AssociateCompletionPort(server, port, 7); err != nil {
		fmt.Println(err)
		return
	}
	buf := make([]byte, 100)
	var flags uint32
	err = thread.WSARecv(server, []spi.Buf{spi.NewBuf(buf)}, nil, &flags, &spi.Overlapped{}, nil)
	fmt.Println(errors.Is(err, spi.WSA_IO_PENDING))
	if _, err := thread.Send(client, []byte("through both"), 0); err != nil {
		fmt.Println(err)
		return
	}
	packet, err := thread.GetQueuedCompletionStatus(port, spi.WSA_INFINITE)
	fmt.Printf("key %d: %q %v\n", packet.Key, buf[:packet.Transferred], err)
	// Output:
	// true
	// key 7: "through both" <nil>
}

// connected returns the two ends of a stream.
func connected(thread *ws2.Thread) (client, server spi.Socket, err error) {
	listener, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = thread.CloseSocket(listener) }()
	name, length := make([]byte, 16), int32(16)
	err = errors.Join(thread.Bind(listener, loopback), thread.Listen(listener, 1), thread.GetSockName(listener, name, &length))
	if err != nil {
		return 0, 0, err
	}
	if client, err = thread.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP); err != nil {
		return 0, 0, err
	}
	if err = thread.Connect(client, name); err != nil {
		return 0, 0, err
	}
	server, err = thread.Accept(listener, nil, nil)
	return client, server, err
}
