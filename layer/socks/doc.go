// Package socks is the layered provider "socks": it connects through a proxy,
// of SOCKS5, SOCKS4a or HTTP CONNECT. Its README.md is its manual page.
//
// # Where to start
//
//   - options.go is what a path may set; socks.go registers the driver and puts
//     its two halves together.
//   - Streams are IFS handles, and no byte of them is touched after the handshake:
//     streams.go has the functions that differ from the next provider's,
//     attempt.go a connect that is under way, handshake.go and the files
//     beginning with dialogue_ what is said to the proxy.
//   - Datagrams carry a header, and queries for names are answered here:
//     datagrams.go has the sockets, association.go the way to the proxy, dns.go
//     and resolver.go the answers.
package socks
