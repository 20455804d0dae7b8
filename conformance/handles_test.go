//go:build linux

package conformance

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

func TestBehaviour010_HandlesAreDistinct(t *testing.T) {
	each(t, func(c *client) {
		seen := map[spi.Socket]bool{spi.InvalidSocket: true}
		add := func(s spi.Socket) {
			if seen[s] {
				c.Errorf("%#x is not a new handle", s)
			}
			seen[s] = true
			if descriptor := s < 1<<32; descriptor == slices.Contains(nonIFS, c.config.name) {
				c.Errorf("handle %#x", s)
			}
		}
		for range 20 {
			add(c.tcp())
			a, b := c.pair()
			add(a)
			add(b)
		}
		ev := c.event()
		if seen[spi.Socket(ev)] {
			c.Errorf("event %#x has the handle of a socket", ev)
		}
	})
}

func TestBehaviour015_CompletionOnForeignHandle(t *testing.T) {
	each(t, func(c *client) {
		complete := c.DLL().Exports().WPUCompleteOverlappedRequest
		s := c.tcp()
		if !slices.Contains(nonIFS, c.config.name) {
			c.want(complete(s, new(spi.Overlapped), 0, 0), spi.WSAEINVAL) // an IFS handle
		}
		c.ok(c.CloseSocket(s))
		c.want(complete(s, new(spi.Overlapped), 0, 0), spi.WSAEINVAL)
	})
}

// A socket is of the first entry that matches, and calls on it go there.
func TestBehaviour018_HandleRoutesToItsProvider(t *testing.T) {
	each(t, func(c *client) { c.routes() }, except("descriptors are registered by WPUModifyIFSHandle: behaviours 19 and 21", "kernel", "kernel+ifs"))
}

func TestBehaviour019_DescriptorRoutesToItsProvider(t *testing.T) {
	each(t, func(c *client) { c.routes() },
		except("its layer takes descriptors over: behaviour 21", "kernel+ifs"),
		except("handles are made by WPUCreateSocketHandle: behaviour 18", nonIFS...))
}

func TestBehaviour021_LayerTakesTheDescriptorOver(t *testing.T) {
	each(t, func(c *client) { c.routes() },
		except("has no layer", "kernel"),
		except("handles are made by WPUCreateSocketHandle: behaviour 18", nonIFS...))
}

// routes fails the test unless a new socket is of the first entry of its kind,
// and each layer has seen the calls on it.
func (c *client) routes() {
	c.Helper()
	var first spi.ProtocolInfo
	for _, e := range c.entries() {
		if e.AddressFamily == spi.AF_INET && e.SocketType == spi.SOCK_STREAM {
			first = e
			break
		}
	}
	if n := max(len(first.ProtocolChain.Entries()), 1); n != 1+len(c.config.layers) {
		c.Errorf("the first entry is a chain of %d", n)
	}
	s := c.tcp()
	if got := c.info(s).CatalogEntryID; got != first.CatalogEntryID {
		c.Errorf("the socket is of entry %d, want %d", got, first.CatalogEntryID)
	}
	c.ok(c.Bind(s, anyPort))
	for i, file := range c.traces {
		text, err := os.ReadFile(file)
		c.ok(err)
		if !strings.Contains(string(text), "WSPBind(") {
			c.Errorf("layer %d has not seen the call:\n%s", i, text)
		}
		if i == 0 && !strings.Contains(string(text), fmt.Sprintf("WSPBind(%s,", handle(s))) {
			c.Errorf("the outermost layer has not seen handle %d:\n%s", s, text)
		}
	}
}

// handle is s as trace writes it.
func handle(s spi.Socket) string {
	if s < 1<<32 {
		return strconv.Itoa(int(s))
	}
	return fmt.Sprintf("%#x", uintptr(s))
}

func TestBehaviour024_NothingIsLeftAfterClose(t *testing.T) {
	each(t, func(c *client) {
		s, b := c.pair()
		c.ok(c.CloseSocket(s))
		for what, call := range map[string]func() error{
			"closesocket": func() error { return c.CloseSocket(s) },
			"send":        func() error { _, err := c.Send(s, []byte("x"), 0); return err },
			"recv":        func() error { _, err := c.Recv(s, make([]byte, 1), 0); return err },
			"bind":        func() error { return c.Bind(s, anyPort) },
			"shutdown":    func() error { return c.Shutdown(s, spi.SD_BOTH) },
			"getsockname": func() error { n := int32(16); return c.GetSockName(s, make([]byte, 16), &n) },
			"WSARecv":     func() error { _, err := c.startReceive(s, 1, 0, nil); return err },
			"eventselect": func() error { return c.WSAEventSelect(s, c.event(), spi.FD_READ) },
		} {
			if err := call(); err == nil {
				c.Errorf("%s succeeds", what)
			} else {
				c.want(err, spi.WSAENOTSOCK)
			}
		}
		c.end(b)
	})
}

func TestBehaviour026_CloseThatWouldBlock(t *testing.T) {
	each(t, func(c *client) {
		a, b := c.pair()
		c.linger(a, 30)
		c.blocking(a, false)
		for range 3 {
			c.want(c.CloseSocket(a), spi.WSAEWOULDBLOCK)
		}
		c.send(a, "usable")
		c.receive(b, "usable")
		ev := c.event()
		op := c.pending(a, 8, ev)
		c.send(b, "also so")
		c.await(ev)
		c.completed(op, "also so")
		c.linger(a, 0)
		c.ok(c.CloseSocket(a))
	})
}

// foreign returns a descriptor of a bound datagram socket that the program has
// made without the DLL.
func (c *client) foreign() int {
	c.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	c.ok(err)
	c.ok(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	return fd
}

const noForeign = "the memory provider has no descriptors"

func TestBehaviour027_ForeignDescriptorIsAdopted(t *testing.T) {
	each(t, func(c *client) {
		s := spi.Socket(c.foreign())
		name := c.name(s)
		_, err := c.SendTo(s, []byte("x"), 0, name)
		c.ok(err)
		b := make([]byte, 8)
		n, err := c.Recv(s, b, 0)
		if string(b[:n]) != "x" || err != nil {
			c.Errorf("received %q, %v", b[:n], err)
		}
		// An IFS layer is asked before the provider below.
		want := 1
		if c.config.name == "kernel+ifs" {
			want = 2
		}
		info := c.info(s)
		if got := max(len(info.ProtocolChain.Entries()), 1); got != want || info.ServiceFlags1&spi.XP1_IFS_HANDLES == 0 {
			c.Errorf("adopted by an entry of %d, flags %#x; want %d", got, info.ServiceFlags1, want)
		}
		c.ok(c.CloseSocket(s))
		_, err = unix.FcntlInt(uintptr(s), unix.F_GETFD, 0)
		if err != unix.EBADF {
			c.Errorf("the descriptor after closesocket: %v", err)
		}
	}, except(noForeign, "memory"))
}

func TestBehaviour027_NoSocketIsAdopted(t *testing.T) {
	each(t, func(c *client) {
		file, err := os.Open(os.DevNull)
		c.ok(err)
		defer file.Close()
		for _, s := range []spi.Socket{spi.Socket(file.Fd()), 99999, 1 << 40, spi.InvalidSocket} {
			_, err := c.Recv(s, make([]byte, 1), 0)
			c.want(err, spi.WSAENOTSOCK)
			c.want(c.CloseSocket(s), spi.WSAENOTSOCK)
		}
		if _, err := file.Stat(); err != nil {
			c.Error(err)
		}
	})
}

func TestBehaviour028_NonIFSProvidersAreNotAsked(t *testing.T) {
	each(t, func(c *client) {
		fd := c.foreign()
		defer unix.Close(fd)
		n := int32(16)
		err := c.GetSockName(spi.Socket(fd), make([]byte, 16), &n)
		if c.config.name == "memory" {
			c.want(err, spi.WSAENOTSOCK)
		} else {
			c.ok(err) // the kernel's own entry, below the layers
		}
		for _, file := range c.traces {
			text, err := os.ReadFile(file)
			if err == nil && strings.Contains(string(text), "WSPGetSock") {
				c.Errorf("a layer was asked:\n%s", text)
			}
		}
	}, except("all its providers have descriptors", "kernel", "kernel+ifs"))
}
