// Package nonifs is what providers without IFS handles need in common.
//
// # Where to start
//
//   - A provider that holds the bytes of its sockets itself, base or layered,
//     embeds [Base], which is the thirty functions, and makes its sockets of
//     [Endpoint], over a half of its own that implements [Lower]. Package
//     upcall.dev/provider/memory is the smallest example.
//   - Both stand on [Handles] (the mapping between handles and objects, with
//     the deferred close) and [Host] (upcalls, blocking calls, and the
//     protocol of overlapped completion), which a provider of another shape can
//     use alone.
package nonifs
