// Package wsnet gives Go programs package net's types over any chain of
// Windows Sockets service providers: [Conn] is a net.Conn, [Listener] a
// net.Listener, [PacketConn] a net.PacketConn, and [Dialer.DialContext] fits
// http.Transport.DialContext.
//
// # Where to start
//
//   - [Open] makes a [Stack]: one Windows Sockets DLL, started. Its catalog
//     decides which providers the traffic passes.
//   - [Stack.Dial], [Stack.Listen] and [Stack.ListenPacket] are net.Dial,
//     net.Listen and net.ListenPacket.
//   - [Dialer] and [ListenConfig] set what package net's types of the same name
//     set.
//
// The networks are tcp, tcp4, tcp6, udp, udp4, udp6 and unix. Names are
// resolved by package net, not through the chain.
//
// # Errors
//
// As in package net: a *net.OpError, io.EOF bare, net.ErrClosed after Close,
// os.ErrDeadlineExceeded after a deadline. A provider's error is the
// [spi.Errno] that it gave, so that both errors.Is(err, spi.WSAECONNREFUSED)
// and errors.Is(err, syscall.ECONNREFUSED) hold.
//
// # How it waits
//
// Every call into the chain is nonblocking. When one gives WSAEWOULDBLOCK the
// goroutine parks: in Go's network poller on a duplicate of the descriptor
// when the socket is an IFS handle (wait_descriptor_unix.go), else until the
// provider sets the event of a WSAEventSelect (wait_event.go). Connecting
// always waits for FD_CONNECT, because a layer may have work to do
// on a connection whose descriptor is ready already. A program with a thread of its
// own that waits for descriptors has no goroutine park: [Conn.Attend].
package wsnet
