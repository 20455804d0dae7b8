package chains

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/catalog"
	"upcall.dev/internal/lent"
	"upcall.dev/spi"
	"upcall.dev/ws2"
	"upcall.dev/wsnet"
)

// Chains is what one program's sockets go through: for each kind of socket the
// catalog's first entry for it.
type Chains struct {
	stack   *wsnet.Stack
	thread  *ws2.Thread
	log     func(string)
	catalog *catalog.Catalog
	entries [kinds]*catalog.Entry // nil: the catalog has none
	talks   [kinds]func() bool    // whether a layer goes on talking on streams; nil with the entry
	without bool                  // they stand for chains that do not start

	mu      sync.Mutex    // guards what follows; a leaf lock
	holders int           // the set is one
	ended   chan struct{} // closed when there is no holder left
}

// Kinds of sockets that chains carry.
const (
	tcp4 = iota
	tcp6
	udp4
	udp6
	unixStream
	kinds
)

// kindOf returns the kind of a socket of Linux, -1 for one that no chain carries.
func kindOf(domain, sockType int) int {
	switch {
	case domain == unix.AF_INET && sockType == unix.SOCK_STREAM:
		return tcp4
	case domain == unix.AF_INET6 && sockType == unix.SOCK_STREAM:
		return tcp6
	case domain == unix.AF_INET && sockType == unix.SOCK_DGRAM:
		return udp4
	case domain == unix.AF_INET6 && sockType == unix.SOCK_DGRAM:
		return udp6
	case domain == unix.AF_UNIX && sockType == unix.SOCK_STREAM:
		return unixStream
	}
	return -1
}

// kindOfEntry returns the kind of the sockets of a catalog entry, -1 for one that
// no door carries.
func kindOfEntry(e *catalog.Entry) int {
	var kind int
	switch {
	case e.SocketType == spi.SOCK_STREAM && e.Protocol == spi.IPPROTO_TCP:
		kind = tcp4
	case e.SocketType == spi.SOCK_DGRAM && e.Protocol == spi.IPPROTO_UDP:
		kind = udp4
	case e.SocketType == spi.SOCK_STREAM && e.AddressFamily == spi.AF_UNIX:
		return unixStream
	default:
		return -1
	}
	switch e.AddressFamily {
	case spi.AF_INET:
		return kind
	case spi.AF_INET6:
		return kind + 1
	}
	return -1
}

// newChains starts the providers of the program's chains over a stack that it
// closes on failure. The application whose categories count is the program.
func newChains(stack *wsnet.Stack, installed *catalog.Catalog, program string, log func(string)) (*Chains, error) {
	c := &Chains{stack: stack, thread: stack.DLL().Unbound(), log: log, catalog: installed, holders: 1, ended: make(chan struct{})}
	fail := func(err error) (*Chains, error) {
		_ = c.end(closePatience)
		return nil, err
	}
	categories := installed.ApplicationCategories(program, "")
	entries := installed.Entries()
	for i := range entries {
		e := &entries[i]
		kind := kindOfEntry(e)
		if kind < 0 {
			continue
		}
		if c.entries[kind] == nil && installed.Usable(e, categories) {
			c.entries[kind], c.talks[kind] = e, installed.Handshaking(e)
		}
	}
	if c.entries[tcp4] == nil && c.entries[tcp6] == nil {
		return fail(errors.New("the catalog has no provider for TCP: upcall catalog reset restores the base providers"))
	}
	if err := c.checkUnix(); err != nil {
		return fail(err)
	}
	for _, e := range c.entries {
		if e == nil {
			continue
		}
		if err := c.thread.StartProvider(&e.ProtocolInfo); err != nil {
			return fail(fmt.Errorf("the chain %q does not start: %w; leave that provider out, or see what upcall catalog check says", e.Name(), err))
		}
	}
	return c, nil
}

// hold adds a holder. It reports false when the last one has gone.
func (c *Chains) hold() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holders == 0 {
		return false
	}
	c.holders++
	return true
}

// Release undoes one [Set.For].
func (c *Chains) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holders--
	if c.holders == 0 {
		close(c.ended)
	}
}

func (c *Chains) entry(domain, sockType int) *catalog.Entry {
	if kind := kindOf(domain, sockType); kind >= 0 {
		return c.entries[kind]
	}
	return nil
}

// ConnectsOwn reports whether sockets of this domain and type are given to the
// chain themselves, an IFS chain, or joined to a socket of the chain.
func (c *Chains) ConnectsOwn(domain, sockType int) bool {
	e := c.entry(domain, sockType)
	return e != nil && e.IFS()
}

// Handshakes reports whether a stream of this domain, whose own socket the chain
// connects, is not ready when the kernel says that it is connected, because a
// layer goes on talking on it.
func (c *Chains) Handshakes(domain int) bool {
	kind := kindOf(domain, unix.SOCK_STREAM)
	return kind >= 0 && c.talks[kind] != nil && c.talks[kind]()
}

// AnswersNames reports whether the chain for datagrams of either family answers
// DNS queries itself.
func (c *Chains) AnswersNames() bool {
	for _, kind := range []int{udp4, udp6} {
		if e := c.entries[kind]; e != nil && c.catalog.AnswersNames(e) {
			return true
		}
	}
	return false
}

// Describe names the chain for a domain and type in messages.
func (c *Chains) Describe(domain, sockType int) string {
	if e := c.entry(domain, sockType); e != nil {
		return fmt.Sprintf("the chain %q", e.Name())
	}
	return "the catalog"
}

// ConnectOwn connects a dup of the program's socket: EINPROGRESS when it is
// nonblocking and the connect has been started.
func (c *Chains) ConnectOwn(fd int, to netip.AddrPort) unix.Errno {
	err := c.thread.Connect(spi.Socket(fd), spi.SockaddrFrom(to))
	if err == nil {
		return 0
	}
	if errors.Is(err, spi.WSAENOTSOCK) {
		c.log(fmt.Sprintf("no IFS provider takes the program's socket: its connect to %v fails with ENETDOWN; upcall catalog check says what is wrong with the catalog", to))
		return unix.ENETDOWN
	}
	return c.Errno(err)
}

// ConnectLent is ConnectOwn for a stream of which something is known, which spares
// the base provider questions. s says afterwards what it has been connected to, if
// the provider tells. The dup is given up by ReleaseLent.
func (c *Chains) ConnectLent(fd int, s *lent.Socket, to netip.AddrPort) unix.Errno {
	lent.Lend(fd, s)
	return c.ConnectOwn(fd, to)
}

// ReleaseLent is ReleaseOwn after ConnectLent.
func (c *Chains) ReleaseLent(fd int, s *lent.Socket) {
	lent.Return(fd, s)
	if !s.Taken() {
		c.ReleaseOwn(fd)
		return
	}
	c.closeOwn(fd)
}

// ReleaseOwn closes the dup through the chain, so that every layer forgets its
// number. A ConnectOwn that waits on it then returns; what it started goes on in
// the kernel. A socket with a linger time is not to be waited for, nor may the
// chain refuse: the program's own descriptor keeps it open.
func (c *Chains) ReleaseOwn(fd int) {
	if l, err := unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER); err == nil && l.Onoff != 0 {
		detach(fd)
	}
	c.closeOwn(fd)
}

func (c *Chains) closeOwn(fd int) {
	if err := c.thread.CloseSocket(spi.Socket(fd)); errors.Is(err, spi.WSAENOTSOCK) {
		_ = unix.Close(fd) // nobody had adopted it
	}
}

// detach puts an unconnected socket in the place of fd.
func detach(fd int) {
	other, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return
	}
	_ = unix.Dup3(other, fd, unix.O_CLOEXEC)
	_ = unix.Close(other)
}

// Dial connects a stream of the chain.
func (c *Chains) Dial(ctx context.Context, to netip.AddrPort) (*wsnet.Conn, error) {
	d := c.stack.Dialer()
	d.KeepAlive = -1 // the program's own business
	conn, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(to.Addr().Unmap(), to.Port()).String())
	if err != nil {
		return nil, err
	}
	return conn.(*wsnet.Conn), nil
}

// Errno returns what a program gets for an error of the chain.
func (c *Chains) Errno(err error) unix.Errno {
	var provider *ws2.ProviderError
	var code spi.Errno
	switch {
	case errors.As(err, &provider):
		c.log(fmt.Sprintf("%v; the program's connect fails with ENETDOWN", provider))
		return unix.ENETDOWN
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return unix.ECONNABORTED
	case errors.As(err, &code):
		if code == spi.WSAEWOULDBLOCK {
			return unix.EINPROGRESS
		}
		return code.Errno()
	case errors.Is(err, context.DeadlineExceeded):
		return unix.ETIMEDOUT
	}
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return unix.EIO
}

// end closes the stack. One whose providers do not let go is left behind.
func (c *Chains) end(patience time.Duration) error {
	closed := make(chan error, 1)
	go func() { closed <- c.stack.Close() }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-closed:
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		return err
	case <-timer.C:
		return errUnended(patience)
	}
}

func errUnended(patience time.Duration) error {
	return fmt.Errorf("the chain's providers have not ended within %v: leaving without them", patience)
}

// closePatience is longer than the DLL's own with a provider that ends.
const closePatience = 15 * time.Second
