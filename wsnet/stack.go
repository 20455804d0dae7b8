package wsnet

import (
	"context"
	"errors"
	"net"
	"sync"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// Config describes the DLL that [Open] makes. A nil Catalog means the
// installed catalog, the file at catalog.DefaultPath.
type Config = ws2.Config

// Stack is a started Windows Sockets DLL as a network. Its methods may be
// called from any goroutine.
type Stack struct {
	dll     *ws2.DLL
	thread  *ws2.Thread
	exports spi.DLL

	closing chan struct{} // closed when Close begins

	mu     sync.Mutex // guards what follows; a leaf lock
	closed bool
	open   map[*socket]struct{}
	work   sync.WaitGroup // one for each socket and for each that is being made
}

// Open makes a DLL of its own and starts it. [Stack.Close] ends it. A program
// that imports upcall.dev/standard, for its effect, has the standard providers.
func Open(c Config) (*Stack, error) {
	if c.Catalog == nil {
		c.Catalog = catalog.OpenFile(catalog.DefaultPath())
	}
	return New(ws2.New(c))
}

// New starts dll once more, by WSAStartup(2.2), which [Stack.Close] undoes.
func New(dll *ws2.DLL) (*Stack, error) {
	s := &Stack{
		dll:     dll,
		thread:  dll.Unbound(),
		exports: dll.Exports(),
		closing: make(chan struct{}),
		open:    map[*socket]struct{}{},
	}
	if err := s.thread.WSAStartup(spi.Version22, new(ws2.WSAData)); err != nil {
		return nil, err
	}
	return s, nil
}

// DLL returns the DLL, for calls that package net has no name for.
func (s *Stack) DLL() *ws2.DLL { return s.dll }

// Close closes every connection and listener of the stack, waits until no call
// is in a provider any more, and then calls WSACleanup. Dials in progress
// fail with net.ErrClosed. A second Close gives net.ErrClosed.
func (s *Stack) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.closed = true
	close(s.closing)
	open := make([]*socket, 0, len(s.open))
	for sock := range s.open {
		open = append(open, sock)
	}
	s.mu.Unlock()

	var errs []error
	for _, sock := range open {
		if err := sock.close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	s.work.Wait()
	return errors.Join(append(errs, s.thread.WSACleanup())...)
}

// begin announces a socket to come, so that Close waits for it. The
// socket's close calls end; so does whoever could not make it.
func (s *Stack) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.work.Add(1)
	return nil
}

func (s *Stack) end() { s.work.Done() }

// add enters a socket that Close is to close. It fails when Close has begun.
func (s *Stack) add(sock *socket) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.open[sock] = struct{}{}
	return nil
}

func (s *Stack) remove(sock *socket) {
	s.mu.Lock()
	delete(s.open, sock)
	s.mu.Unlock()
}

// Dialer returns a dialer over the stack with package net's defaults.
func (s *Stack) Dialer() *Dialer { return &Dialer{Stack: s} }

// Dial connects to an address, as net.Dial does.
func (s *Stack) Dial(network, address string) (net.Conn, error) {
	return s.Dialer().DialContext(context.Background(), network, address)
}

// DialContext is [Stack.Dial] that ends with ctx. It fits
// http.Transport.DialContext.
func (s *Stack) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return s.Dialer().DialContext(ctx, network, address)
}

// Listen announces on a local address of a stream network, as net.Listen does.
func (s *Stack) Listen(network, address string) (net.Listener, error) {
	return (&ListenConfig{Stack: s}).Listen(context.Background(), network, address)
}

// ListenPacket announces on a local address of a datagram network, as
// net.ListenPacket does.
func (s *Stack) ListenPacket(network, address string) (net.PacketConn, error) {
	return (&ListenConfig{Stack: s}).ListenPacket(context.Background(), network, address)
}
