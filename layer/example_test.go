package layer_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"upcall.dev/catalog"
	"upcall.dev/layer"
	_ "upcall.dev/provider/memory"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// firewall is a layer that refuses to connect to one port.
type firewall struct {
	spi.Provider // the next provider, for everything else
	port         uint16
	extensions   layer.Extensions
}

func (f *firewall) refuses(name []byte) bool {
	to, ok := spi.AddrPortFrom(name)
	return ok && to.Port() == f.port
}

func (f *firewall) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) spi.Errno {
	if f.refuses(name) {
		return spi.WSAEACCES
	}
	return f.Provider.WSPConnect(s, name, callerData, calleeData, sqos, gqos)
}

// WSPIoctl is where a client gets ConnectEx, which does not come by WSPConnect.
func (f *firewall) WSPIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	errno := f.Provider.WSPIoctl(s, code, in, out, returned, ov, routine, thread)
	if id, ok := layer.ExtensionID(in); errno == 0 && ok && code == spi.SIO_GET_EXTENSION_FUNCTION_POINTER && id == spi.WSAID_CONNECTEX {
		errno = layer.WrapExtension(&f.extensions, id, out, returned, f.connectEx)
	}
	return errno
}

func (f *firewall) connectEx(next spi.ConnectExFunc) spi.ConnectExFunc {
	return func(s spi.Socket, name, data []byte, sent *uint32, ov *spi.Overlapped) spi.Errno {
		if f.refuses(name) {
			return spi.WSAEACCES
		}
		return next(s, name, data, sent, ov)
	}
}

func init() {
	layer.Register(layer.Definition{
		Name:    "firewall",
		Summary: "refuses to connect to a port",
		Options: []spi.Option{{Name: "port", Help: "the port, such as 25"}},
		New: func(next spi.Provider, o spi.Options) (spi.Provider, error) {
			port, err := strconv.ParseUint(o["port"], 10, 16)
			return &firewall{Provider: next, port: uint16(port)}, err
		},
	})
}

// A whole layer is a struct that embeds its next provider, the functions that
// it changes, and its registration.
func ExampleRegister() {
	c, err := catalog.Compose(catalog.Default(), "memory", []catalog.Layer{{Name: "firewall", Options: spi.Options{"port": "25"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	thread := ws2.New(ws2.Config{Catalog: c}).BindThread()
	defer thread.Unbind()
	if err := thread.WSAStartup(spi.Version22, new(ws2.WSAData)); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = thread.WSACleanup() }()

	for _, to := range []string{"127.0.0.1:25", "127.0.0.1:80"} {
		s, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
		if err != nil {
			fmt.Println(err)
			return
		}
		err = thread.Connect(s, spi.SockaddrFrom(netip.MustParseAddrPort(to)))
		fmt.Println(to, err)
	}
	// Output:
	// 127.0.0.1:25 permission denied (WSAEACCES 10013)
	// 127.0.0.1:80 connection refused (WSAECONNREFUSED 10061)
}

// ConnectEx goes around WSPConnect, so the firewall wraps it as well.
func ExampleWrapExtension() {
	c, err := catalog.Compose(catalog.Default(), "memory", []catalog.Layer{{Name: "firewall", Options: spi.Options{"port": "25"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	thread := ws2.New(ws2.Config{Catalog: c}).BindThread()
	defer thread.Unbind()
	if err := thread.WSAStartup(spi.Version22, new(ws2.WSAData)); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = thread.WSACleanup() }()

	for _, to := range []string{"127.0.0.1:25", "127.0.0.1:80"} {
		s, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
		if err == nil {
			err = thread.Bind(s, spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:0")))
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		ev, err := thread.WSACreateEvent()
		if err != nil {
			fmt.Println(err)
			return
		}
		ov := &spi.Overlapped{HEvent: ev}
		err = thread.ConnectEx(s, spi.SockaddrFrom(netip.MustParseAddrPort(to)), nil, nil, ov)
		if errors.Is(err, spi.WSA_IO_PENDING) {
			var n, flags uint32
			err = thread.WSAGetOverlappedResult(s, ov, &n, true, &flags)
		}
		fmt.Println(to, err)
		_ = thread.WSACloseEvent(ev)
	}
	// Output:
	// 127.0.0.1:25 permission denied (WSAEACCES 10013)
	// 127.0.0.1:80 connection refused (WSAECONNREFUSED 10061)
}
