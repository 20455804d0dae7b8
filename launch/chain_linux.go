package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
	"upcall.dev/wsnet"
)

// chain is how connections are made.
type chain interface {
	// connectsOwn reports whether sockets of this domain are connected
	// themselves, by an IFS chain, or joined to a socket of the chain.
	connectsOwn(domain int) bool
	// connectOwn connects a dup of the program's socket: EINPROGRESS when it
	// is nonblocking and the connect has been started.
	connectOwn(fd int, to netip.AddrPort) unix.Errno
	// release closes a dup that was given to connectOwn. A connectOwn that
	// waits on it then returns; what it started goes on in the kernel.
	release(fd int)
	// dial connects a socket of the chain.
	dial(ctx context.Context, to netip.AddrPort) (stream, error)
	// errno is what a program gets for an error of dial.
	errno(err error) unix.Errno
	// describe names the chain for a domain in messages.
	describe(domain int) string
}

// winsock is the chain that a catalog has for TCP.
type winsock struct {
	stack  *wsnet.Stack
	thread *ws2.Thread
	v4, v6 *catalog.Entry // what sockets of the family are made of; nil: nothing
	log    func(string)
}

// openChain reads the catalog and starts the providers that TCP sockets need,
// so that what is wrong with them shows before the program runs. The
// application whose categories count is the program.
func openChain(source catalog.Source, program string, log func(string)) (*winsock, error) {
	if source == nil {
		source = catalog.OpenFile(catalog.DefaultPath())
	}
	installed, err := source.Load()
	if err != nil {
		return nil, err
	}
	stack, err := wsnet.Open(ws2.Config{Catalog: installed, Application: program, Log: log})
	if err != nil {
		return nil, err
	}
	w := &winsock{stack: stack, thread: stack.DLL().Unbound(), log: log}
	categories := installed.ApplicationCategories(program, "")
	entries := installed.Entries()
	for i := range entries {
		e := &entries[i]
		if e.SocketType != spi.SOCK_STREAM || e.Protocol != spi.IPPROTO_TCP || !installed.Usable(e, categories) {
			continue
		}
		switch {
		case e.AddressFamily == spi.AF_INET && w.v4 == nil:
			w.v4 = e
		case e.AddressFamily == spi.AF_INET6 && w.v6 == nil:
			w.v6 = e
		}
	}
	if w.v4 == nil && w.v6 == nil {
		_ = w.close(closePatience)
		return nil, errors.New("the catalog has no provider for TCP: upcall catalog reset restores the base providers")
	}
	for _, e := range []*catalog.Entry{w.v4, w.v6} {
		if e == nil {
			continue
		}
		if err := w.thread.StartProvider(&e.ProtocolInfo); err != nil {
			_ = w.close(closePatience)
			return nil, fmt.Errorf("the chain %q does not start: %w; leave that provider out, or see what upcall catalog check says", e.Name(), err)
		}
	}
	return w, nil
}

func (w *winsock) entry(domain int) *catalog.Entry {
	if domain == unix.AF_INET6 {
		return w.v6
	}
	return w.v4
}

func (w *winsock) connectsOwn(domain int) bool {
	e := w.entry(domain)
	return e != nil && e.IFS()
}

func (w *winsock) describe(domain int) string {
	if e := w.entry(domain); e != nil {
		return fmt.Sprintf("the chain %q", e.Name())
	}
	return "the catalog"
}

func (w *winsock) connectOwn(fd int, to netip.AddrPort) unix.Errno {
	err := w.thread.Connect(spi.Socket(fd), spi.SockaddrFrom(to))
	if err == nil {
		return 0
	}
	if errors.Is(err, spi.WSAENOTSOCK) {
		w.log(fmt.Sprintf("no IFS provider takes the program's socket: its connect to %v fails with ENETDOWN; upcall catalog check says what is wrong with the catalog", to))
		return unix.ENETDOWN
	}
	return w.errno(err)
}

// release closes the dup through the chain, so that every layer forgets its
// number. A socket with a linger time is not to be waited for, nor may the
// chain refuse: the program's own descriptor keeps it open.
func (w *winsock) release(fd int) {
	if l, err := unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER); err == nil && l.Onoff != 0 {
		detach(fd)
	}
	if err := w.thread.CloseSocket(spi.Socket(fd)); errors.Is(err, spi.WSAENOTSOCK) {
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

func (w *winsock) dial(ctx context.Context, to netip.AddrPort) (stream, error) {
	d := w.stack.Dialer()
	d.KeepAlive = -1 // the program's own business
	conn, err := d.DialContext(ctx, "tcp", unmapped(to).String())
	if err != nil {
		return nil, err
	}
	return conn.(*wsnet.Conn), nil
}

func (w *winsock) errno(err error) unix.Errno {
	var provider *ws2.ProviderError
	var code spi.Errno
	switch {
	case errors.As(err, &provider):
		w.log(fmt.Sprintf("%v; the program's connect fails with ENETDOWN", provider))
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
	return errnoOf(err)
}

// close ends the providers. One that does not let go is left behind.
func (w *winsock) close(patience time.Duration) error {
	closed := make(chan error, 1)
	go func() { closed <- w.stack.Close() }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-closed:
		return err
	case <-timer.C:
		return fmt.Errorf("the chain's providers have not ended within %v: leaving without them", patience)
	}
}

// closePatience is longer than the DLL's own with a provider that ends.
const closePatience = 15 * time.Second
