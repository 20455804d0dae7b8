package layer_test

import (
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
}

func (f *firewall) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) spi.Errno {
	if to, ok := spi.AddrPortFrom(name); ok && to.Port() == f.port {
		return spi.WSAEACCES
	}
	return f.Provider.WSPConnect(s, name, callerData, calleeData, sqos, gqos)
}

func init() {
	layer.Register(layer.Definition{
		Name:    "firewall",
		Summary: "refuses to connect to a port",
		Options: []spi.Option{{Name: "port", Help: "the port, such as 25"}},
		New: func(next spi.Provider, o spi.Options) (spi.Provider, error) {
			port, err := strconv.ParseUint(o["port"], 10, 16)
			return &firewall{next, uint16(port)}, err
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
