//go:build linux

package conformance

import (
	"slices"
	"testing"
	"unsafe"

	"upcall.dev/spi"
)

var now = spi.Timeval{}

func TestBehaviour095_SelectRefusals(t *testing.T) {
	each(t, func(c *client) {
		_, err := c.Select(nil, nil, nil, &now)
		c.want(err, spi.WSAEINVAL)
		_, err = c.Select(spi.NewFDSet(), spi.NewFDSet(), spi.NewFDSet(), &now)
		c.want(err, spi.WSAEINVAL)
		s := c.tcp()
		ready, _ := c.pair()
		for _, bad := range []spi.Timeval{{Sec: -1}, {Usec: -1}} {
			_, err = c.Select(spi.NewFDSet(s), nil, nil, &bad)
			c.want(err, spi.WSAEINVAL)
		}
		more := spi.Timeval{Usec: 1_000_000} // is a second
		_, err = c.Select(nil, spi.NewFDSet(ready), nil, &more)
		c.ok(err)
		closed := c.tcp()
		c.ok(c.CloseSocket(closed))
		for _, bad := range []spi.Socket{spi.InvalidSocket, 1 << 40, 99999, closed} {
			for i := range 3 {
				sets := [3]*spi.FDSet{spi.NewFDSet(s)}
				sets[i] = spi.NewFDSet(s, bad)
				_, err = c.Select(sets[0], sets[1], sets[2], &now)
				c.want(err, spi.WSAENOTSOCK)
			}
		}
	})
}

func TestBehaviour096_SelectReducesTheSets(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		l, _ := c.listener()
		fresh := c.tcp()
		c.send(a, "x")
		c.readable(b)
		read, write, except := spi.NewFDSet(l, b, a, fresh), spi.NewFDSet(fresh, a, l, b), spi.NewFDSet(a, b)
		n, err := c.Select(read, write, except, nil)
		c.ok(err)
		if n != 3 {
			c.Errorf("select counts %d, want 3", n)
		}
		c.members("read", read, b)
		c.members("write", write, a, b)
		c.members("except", except)

		timeout := spi.Timeval{Usec: 1000}
		read = spi.NewFDSet(l, a, fresh)
		n, err = c.Select(read, nil, spi.NewFDSet(a), &timeout)
		if n != 0 || err != nil {
			c.Errorf("select gives %d, %v at the timeout", n, err)
		}
		c.members("read", read)
		if timeout != (spi.Timeval{Usec: 1000}) {
			c.Errorf("the timeout is %v", timeout)
		}
	})
}

// It waits until another thread brings something about.
func TestBehaviour096_SelectWaits(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		l, name := c.listener()
		c.elsewhere(func(c *client) { c.send(a, "x") })
		read := spi.NewFDSet(l, b)
		c.selected(read, nil, nil)
		c.members("read", read, b)
		c.receive(b, "x")
		c.elsewhere(func(c *client) { c.ok(c.Connect(c.tcp(), name)) })
		read = spi.NewFDSet(l, b)
		c.selected(read, nil, nil)
		c.members("read", read, l)
		c.elsewhere(func(c *client) { c.ok(c.CloseSocket(a)) })
		read = spi.NewFDSet(b)
		c.selected(read, nil, nil)
		c.members("read", read, b)
		c.end(b)
	})
}

// The sockets of the configuration's chain, and a socket of a provider that is
// not in it.
func TestBehaviour097_SelectWithTwoProviders(t *testing.T) {
	each(t, func(c *client) {
		other := "memory"
		if c.config.over == "memory" {
			other = "kernel"
		}
		c.ok(c.WSACleanup())
		c.Unbind()
		c.begin(c.composed(""), spi.Version22)
		one, two := c.of(c.config.over), c.of(other)
		if c.info(one).ProviderID == c.info(two).ProviderID {
			c.Fatal("the sockets are of one provider")
		}
		_, err := c.Select(spi.NewFDSet(one, two), nil, nil, &now)
		c.want(err, spi.WSAEINVAL)
		_, err = c.Select(spi.NewFDSet(one), spi.NewFDSet(two), nil, &now)
		c.want(err, spi.WSAEINVAL)
		_, err = c.Select(spi.NewFDSet(one), nil, spi.NewFDSet(one), &now)
		c.ok(err)
	})
}

// of returns a stream socket of the first entry over a base provider.
func (c *client) of(base string) spi.Socket {
	c.Helper()
	d, _ := spi.LookupDriver(base)
	var bases []uint32
	for _, e := range c.DLL().Exports().WSCEnumProtocols() {
		if e.ProviderID == d.ProviderID {
			bases = append(bases, e.CatalogEntryID)
		}
	}
	for _, e := range c.entries() {
		lowest := e.CatalogEntryID
		if chain := e.ProtocolChain.Entries(); len(chain) > 1 {
			lowest = chain[len(chain)-1]
		}
		if slices.Contains(bases, lowest) && e.AddressFamily == spi.AF_INET && e.SocketType == spi.SOCK_STREAM {
			s, err := c.WSASocket(spi.AF_INET, spi.SOCK_STREAM, 0, &e, 0, spi.WSA_FLAG_OVERLAPPED)
			c.ok(err)
			return s
		}
	}
	c.Fatalf("no entry is over %s", base)
	return 0
}

// entries is WSAEnumProtocols.
func (c *client) entries() []spi.ProtocolInfo {
	c.Helper()
	var length uint32
	_, err := c.WSAEnumProtocols(nil, nil, &length)
	c.want(err, spi.WSAENOBUFS)
	buf := make([]spi.ProtocolInfo, length/uint32(unsafe.Sizeof(spi.ProtocolInfo{})))
	n, err := c.WSAEnumProtocols(nil, buf, &length)
	c.ok(err)
	return buf[:n]
}

func TestBehaviour098_SelectTakesAHundred(t *testing.T) {
	each(t, func(c *client) {
		var all []spi.Socket
		var last []byte
		for range 100 {
			s, name := c.udp()
			all, last = append(all, s), name
		}
		_, err := c.SendTo(all[0], []byte("x"), 0, last)
		c.ok(err)
		set := spi.NewFDSet(all...)
		c.selected(set, nil, nil)
		c.members("read", set, all[99])
		set = spi.NewFDSet(all...)
		n, err := c.Select(nil, set, nil, nil)
		c.ok(err)
		if n != 100 || set.Count != 100 {
			c.Errorf("select counts %d, the set has %d", n, set.Count)
		}
	})
}

func TestBehaviour099_ConnectInSelect(t *testing.T) {
	each(t, func(c *client) {
		name := c.nobody()
		s := c.tcp()
		c.blocking(s, false)
		c.want(c.Connect(s, name), spi.WSAEWOULDBLOCK)
		read, write, except := spi.NewFDSet(s), spi.NewFDSet(s), spi.NewFDSet(s)
		c.selected(read, write, except)
		c.members("read", read)
		c.members("write", write)
		c.members("except", except, s)
		if e := spi.Errno(c.option(s, spi.SOL_SOCKET, spi.SO_ERROR)); e != spi.WSAECONNREFUSED {
			c.Errorf("SO_ERROR is %v", e)
		}
		if e := spi.Errno(c.option(s, spi.SOL_SOCKET, spi.SO_ERROR)); e != 0 {
			c.Errorf("SO_ERROR is %v the second time", e)
		}

		_, name = c.listener()
		s = c.tcp()
		c.blocking(s, false)
		c.connecting(s, name)
		write, except = spi.NewFDSet(s), spi.NewFDSet(s)
		c.selected(nil, write, except)
		c.members("write", write, s)
		c.members("except", except)
		if e := spi.Errno(c.option(s, spi.SOL_SOCKET, spi.SO_ERROR)); e != 0 {
			c.Errorf("SO_ERROR is %v", e)
		}
	})
}
